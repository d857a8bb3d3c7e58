"""The project's own files, for the tests that look at the source instead of running it."""

import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
ROOTS = ("publisher", "consumers", "proto")


def pyproject() -> dict[str, Any]:
    """The project's settings."""
    return tomllib.loads((PROJECT / "pyproject.toml").read_text())


def package_files(project: Path = PROJECT) -> Iterator[tuple[str, Path]]:
    """Every file of the package with its path as an installation has it; caches are none of it."""
    for root in ROOTS:
        for path in sorted((project / root).rglob("*")):
            inside = path.relative_to(project / root)
            if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
                yield inside.as_posix(), path


def modules(project: Path = PROJECT) -> Iterator[tuple[str, Path]]:
    """Every module with its dotted name."""
    for inside, path in package_files(project):
        if path.suffix == ".py":
            yield inside.removesuffix(".py").removesuffix("/__init__").replace("/", "."), path


def subpackages(project: Path = PROJECT) -> list[Path]:
    """The portions of the namespace, as `publisher/brokertape/gateway`."""
    found = (path for root in ROOTS for path in (project / root / "brokertape").iterdir())
    return sorted(path for path in found if path.is_dir() and path.name != "__pycache__")


def copy_of_roots(target: Path) -> Path:
    """The three source roots and pyproject.toml, copied to `target` so that a test may spoil them."""
    for root in ROOTS:
        shutil.copytree(PROJECT / root, target / root, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", target)
    return target
