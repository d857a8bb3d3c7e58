"""The wheel as a user gets it: built, installed in an empty environment, imported, type-checked."""

import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from support.source_tree import PROJECT, package_files

TYPING = PROJECT / "tests" / "typing"
IMPORT_ALL = "import importlib, sys; [importlib.import_module(name) for name in sys.argv[1:]]"

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(600)]  # it waits for downloads


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program's output and exit code; nothing of this environment's paths reaches it."""
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env={"PATH": "", **environment}, capture_output=True, text=True, check=False
    )


def checked(*command: str | Path) -> None:
    """Run a step of the set-up, which needs this machine's settings."""
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.fixture(scope="module")
def user_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel and its base dependencies, at the locked versions."""
    directory = tmp_path_factory.mktemp("user")
    venv.create(directory / "env", with_pip=True)
    versions = re.findall(r"^[a-z0-9-]+==[^\\\n]*", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)
    (directory / "versions.txt").write_text("\n".join(versions))
    python = directory / "env" / "bin" / "python"
    checked(python, "-m", "pip", "install", "--no-compile", wheel, "--constraint", directory / "versions.txt")
    return python


def type_check(file: str, python: Path, directory: Path) -> str:
    """What mypy says about a user's file, in strict mode and without any settings of ours."""
    (directory / file).write_text((TYPING / file).read_text())
    command = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--python-executable", python, file)
    return run(*command, cwd=directory, NO_COLOR="1").stdout


def test_the_wheel_holds_every_file_of_every_root(wheel: Path) -> None:
    """Modules, scripts, schemas and markers are all in it; nothing makes the namespace a package."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {inside for inside, _ in package_files()}
    assert "brokertape/__init__.py" not in names


def test_every_module_of_the_wheel_imports_with_the_extras(wheel: Path, tmp_path: Path) -> None:
    """All of it works from the merged roots, not only from the three of the source tree."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    modules = sorted(
        path.relative_to(tmp_path).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
        for path in (tmp_path / "brokertape").rglob("*.py")
    )
    # -S: the .pth file of the editable install, which leads to the source tree, is not read.
    paths = ":".join((str(tmp_path), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")))
    result = run(sys.executable, "-S", "-c", IMPORT_ALL, *modules, cwd=tmp_path, PYTHONPATH=paths)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("module", ["tape", "subscriber", "workers", "cli"])
def test_what_needs_no_extra_imports_without_one(user_python: Path, tmp_path: Path, module: str) -> None:
    """The base install is enough for reading the tape and for a worker of one's own."""
    result = run(user_python, "-c", IMPORT_ALL, f"brokertape.{module}", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")


def test_a_users_file_type_checks(user_python: Path, tmp_path: Path) -> None:
    """The installed package carries its types: strict mypy has nothing to say."""
    assert type_check("right_use.py", user_python, tmp_path).startswith("Success")


def test_a_users_mistakes_are_found(user_python: Path, tmp_path: Path) -> None:
    """The types are real: each mistake is the error that its line expects, and there is no other."""
    lines = enumerate((TYPING / "wrong_use.py").read_text().splitlines(), start=1)
    expected = {(str(number), line.partition("# expect: ")[2]) for number, line in lines if "# expect: " in line}
    output = type_check("wrong_use.py", user_python, tmp_path)
    found = re.findall(r"^wrong_use.py:(\d+): error: .*\[([a-z-]+)\]$", output, re.MULTILINE)
    assert set(found) == expected != set()


def test_the_command_without_its_extra_says_what_to_install(user_python: Path, tmp_path: Path) -> None:
    """One line on standard error that names the extra, and the exit code of bad input."""
    result = run(user_python.with_name("brokertape"), "--help", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(r"brokertape: .*pip install 'brokertape\[cli\]'\n", result.stderr)
