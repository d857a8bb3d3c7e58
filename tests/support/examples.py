"""The examples as their readers run them: packages of their own, and processes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from brokertape.tape.changes import Change
from support.commands import Running
from support.servers import IS_CI
from support.source_tree import PROJECT

EXAMPLES = PROJECT / "examples"
INSTALL_TIMEOUT_S = 400.0


def python_of(*versions: str) -> Path:
    """An interpreter of one of `versions`, the first that is here: this one, on PATH, or among pyenv's."""
    for version in versions:
        for candidate in _candidates(version):
            if _version_of(candidate) == version:
                return candidate
    raise _cannot(f"no Python {' or '.join(versions)} is installed")


def pip(*arguments: str | Path) -> None:
    """Run `pip`; what cannot be installed is a skip at a desk and a failure in CI."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if result.returncode:
        errors = [line for line in result.stderr.splitlines() if line.startswith("ERROR")]
        raise _cannot(f"pip cannot install what the example needs: {' '.join(errors) or result.stderr}")


def build_wheel(directory: Path) -> Path:
    """Our wheel, as it would be published."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(directory), str(PROJECT)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    [wheel] = directory.glob("*.whl")
    return wheel


def locked_versions(directory: Path) -> Path:
    """The versions of `requirements.lock` as constraints for pip."""
    versions = re.findall(r"^[a-z0-9-]+==[^\\\n]*", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    constraints = directory / "versions.txt"
    constraints.write_text("\n".join(versions))
    return constraints


@contextmanager
def example(script: Path, *arguments: str, python: str | Path, directory: Path, path: str = "") -> Iterator[Running]:
    """A script that runs with `path` as its PYTHONPATH, what it prints in `directory`; killed at the end."""
    out, err = directory / "example.out", directory / "example.err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        process = subprocess.Popen(
            [str(python), str(script), *arguments],
            cwd=directory,
            env={"PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdout=out_file,
            stderr=err_file,
        )
    try:
        yield Running(process, out, err)
    finally:
        process.kill()
        process.wait()


def flips(changes: Iterable[Change]) -> Sequence[str]:
    """What both Python examples print of the brokers that turn from buying to selling or back."""
    return [
        f"{change.broker_name} {change.before.net_vol:+,} → {change.after.net_vol:+,}"
        for change in changes
        if "flipped" in change.kinds and change.before is not None and change.after is not None
    ]


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    if found := shutil.which(f"python{version}"):
        yield Path(found)
    yield from sorted(
        Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob(f"versions/{version}.*/bin/python")
    )


def _version_of(python: Path) -> str:
    command = [str(python), "-c", "import venv, sys; print('%d.%d' % sys.version_info[:2])"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip()


def _cannot(reason: str) -> BaseException:
    """What to raise: in CI nothing may be skipped."""
    return AssertionError(reason) if IS_CI else pytest.skip.Exception(reason)
