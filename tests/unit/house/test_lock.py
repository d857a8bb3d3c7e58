"""requirements.lock: what `make` installs, by hash."""

import re
from collections.abc import Iterator

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.source_tree import PROJECT, pyproject

LOCK = (PROJECT / "requirements.lock").read_text()


def locked() -> dict[str, list[str]]:
    """Name → versions pinned (more than one where Python versions differ)."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK, re.MULTILINE):
        pins.setdefault(name, []).append(version)
    return pins


def required() -> Iterator[Requirement]:
    """Every requirement of pyproject.toml: base, extras, development and build."""
    settings = pyproject()
    project = settings["project"]
    lines = [*project["dependencies"], *settings["dependency-groups"]["dev"], *settings["build-system"]["requires"]]
    for extra in project["optional-dependencies"].values():
        lines += extra
    yield from (Requirement(line) for line in lines if not line.startswith("brokertape["))


def test_the_lock_covers_every_requirement() -> None:
    """A requirement that was added or raised without `make lock` is missing here, or too old."""
    pins = locked()
    for requirement in required():
        versions = pins.get(canonicalize_name(requirement.name), [])
        assert versions, f"{requirement.name} is not locked: run `make lock`"
        assert all(map(requirement.specifier.contains, versions)), f"{requirement}: run `make lock`"


def test_every_pin_has_hashes() -> None:
    """pip's hash-checking mode refuses a file with a single pin that lacks them."""
    pins = re.findall(r"^[a-z0-9-]+==.*\\$(?=\n    --hash=sha256:[0-9a-f]{64})", LOCK, re.MULTILINE)
    assert len(pins) == sum(map(len, locked().values())) > 0


def test_the_lock_names_no_host_and_no_path() -> None:
    """Where packages come from is each machine's own affair."""
    assert not re.search(r"://|^--|^\s*/|file:", LOCK, re.MULTILINE)
