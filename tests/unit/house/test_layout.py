"""Three source roots, one PEP 420 namespace."""

from support.source_tree import PROJECT, ROOTS, modules, package_files, pyproject, subpackages


def test_no_root_makes_the_namespace_a_package() -> None:
    """A `brokertape/__init__.py` in one root would hide the other two, and so would stubs or a py.typed there."""
    for root in ROOTS:
        assert [path.name for path in (PROJECT / root).iterdir() if path.name != "__pycache__"] == ["brokertape"]
        assert not [path.name for path in (PROJECT / root / "brokertape").iterdir() if path.is_file()]


def test_every_subpackage_is_a_typed_package() -> None:
    """Checkers read py.typed per portion: one that lacks it would lose its types for users."""
    assert {path.name for path in subpackages()} >= {"cli", "gateway", "publisher", "simulator"}
    for path in subpackages():
        assert (path / "__init__.py").is_file(), path
        assert (path / "py.typed").is_file(), path


def test_every_directory_with_modules_is_a_package() -> None:
    """A forgotten `__init__.py` works in the source tree and is a silent namespace of its own."""
    for name, path in modules():
        assert (path.parent / "__init__.py").is_file(), name


def test_no_two_roots_hold_the_same_file() -> None:
    """The wheel merges the roots: one of two equal paths would be lost."""
    paths = [inside for inside, _ in package_files()]
    assert len(paths) == len(set(paths))


def test_the_build_knows_every_root() -> None:
    """A root that the build forgets is missing from the wheel, the checker and the editable install."""
    tool = pyproject()["tool"]
    assert tool["hatch"]["build"]["targets"]["wheel"]["packages"] == [f"{root}/brokertape" for root in ROOTS]
    assert tool["hatch"]["build"]["targets"]["wheel"]["dev-mode-dirs"] == list(ROOTS)
    assert set(ROOTS) <= set(tool["mypy"]["files"])
