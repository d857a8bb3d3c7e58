"""The systemd units, as systemd itself reads them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from brokertape.cli.settings import groups, variable
from support.servers import IS_CI
from support.source_tree import PROJECT

pytestmark = pytest.mark.one_python  # it reads files

UNITS = PROJECT / "deploy" / "systemd"
ROLES = ("publisher", "store", "alert")
MAX_EXPOSURE = 20  # tenths of systemd's own scale, on which 10.0 is a service with no restriction at all


@pytest.fixture
def analyze() -> str:
    """systemd-analyze; absent it is a skip at a desk and a failure in CI."""
    program = shutil.which("systemd-analyze")
    if program is None:
        assert not IS_CI, "systemd-analyze is not installed"
        pytest.skip("systemd-analyze is not installed")
    return program


def unit_of(role: str) -> Path:
    """A role's unit."""
    return UNITS / f"brokertape-{role}.service"


def installed(directory: Path, role: str, text: str) -> Path:
    """The unit in `directory`, its program being one that is there."""
    program = directory / "brokertape"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = directory / unit_of(role).name
    unit.write_text(text.replace("/opt/brokertape/bin", str(directory)))
    return unit


def complaints(analyze: str, unit: Path) -> str:
    """What `systemd-analyze verify` says; an unknown key is only a line here, not a failure of the command."""
    result = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    return "\n".join(line for line in result.stderr.splitlines() if str(unit) in line or unit.name in line)


@pytest.mark.parametrize("role", ROLES)
def test_systemd_understands_the_unit(analyze: str, tmp_path: Path, role: str) -> None:
    """Not one complaint about any line of it."""
    assert complaints(analyze, installed(tmp_path, role, unit_of(role).read_text())) == ""


def test_a_misspelt_key_would_be_seen(analyze: str, tmp_path: Path) -> None:
    """The check above can fail."""
    text = unit_of("store").read_text().replace("ProtectHome=", "ProtectHouse=")
    assert "ProtectHouse" in complaints(analyze, installed(tmp_path, "store", text))


@pytest.mark.parametrize("role", ROLES)
def test_the_service_is_confined(analyze: str, tmp_path: Path, role: str) -> None:
    """systemd's own audit finds little left to take from it."""
    unit = installed(tmp_path, role, unit_of(role).read_text())
    command = [analyze, "security", "--offline=true", f"--threshold={MAX_EXPOSURE}", "--no-pager", str(unit)]
    audit = subprocess.run(command, capture_output=True, text=True, check=False)
    assert audit.returncode == 0, audit.stdout


@pytest.mark.parametrize("role", ROLES)
def test_the_service_comes_back_whatever_ended_it(role: str) -> None:
    """Always restarted, also when it hangs, and never given up after some number of tries."""
    lines = unit_of(role).read_text().splitlines()
    assert "Type=notify" in lines
    assert [line for line in lines if line.startswith("WatchdogSec=")]
    assert "Restart=always" in lines
    assert "StartLimitIntervalSec=0" in lines
    assert not [line for line in lines if line.startswith("RestartPreventExitStatus")]


@pytest.mark.parametrize("role", ROLES)
def test_the_example_environment_is_true(role: str) -> None:
    """Every variable is a setting, written as systemd reads it: without a shell's spaces and quotes."""
    lines = [line for line in (UNITS / f"{role}.env.example").read_text().splitlines() if not line.startswith("# ")]
    named = [re.fullmatch(r"#?(BROKERTAPE_[A-Z_]+)=[^\s'\"]+", line) for line in filter(None, lines)]
    assert all(named)
    known = {variable(name, setting) for name, group in groups().items() for setting in group.model_fields}
    assert {match[1] for match in named if match} - known == set()
