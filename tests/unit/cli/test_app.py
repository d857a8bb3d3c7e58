"""The commands and their flags."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from brokertape.cli import main
from brokertape.cli.app import commands
from brokertape.cli.settings import groups
from support.source_tree import PROJECT

RUN_HELP = """
import json, sys
from brokertape.cli.app import commands
try:
    commands(sys.argv[1:], standalone_mode=False)
except Exception as error:
    print(repr(error), file=sys.stderr)
print("\\n" + json.dumps(sorted(name.partition(".")[0] for name in sys.modules)))
"""


def parameters() -> Iterator[tuple[str, str, list[str]]]:
    """Every (command, parameter, flags) there is."""

    def of(name: str, command: object) -> Iterator[tuple[str, str, list[str]]]:
        for parameter in command.params:  # type: ignore[attr-defined]
            yield name, parameter.name, parameter.opts
        for sub_name, sub in getattr(command, "commands", {}).items():
            yield from of(f"{name} {sub_name}".strip(), sub)

    yield from of("", typer.main.get_command(commands))


def test_every_flag_of_a_setting_finds_it() -> None:
    """A parameter whose name begins with a group is one of its settings: a misspelt one would be dropped silently."""
    known = {f"{group}_{name}" for group, fields in groups().items() for name in fields.model_fields}
    found = {name for _, name, _ in parameters() if name.partition("_")[0] in groups()}
    assert found
    assert found <= known


def test_every_setting_of_the_simulator_has_a_flag() -> None:
    """Tests and demos are written with flags."""
    flags = {name for command, name, _ in parameters() if command == "simulate"}
    assert {f"simulate_{name}" for name in groups()["simulate"].model_fields} <= flags


def test_one_flag_means_one_thing() -> None:
    """In all commands the same setting, of whichever worker; but for the simulator, which plays the other side."""
    meanings: dict[str, set[str]] = {}
    for command, name, flags in parameters():
        if command != "simulate" and "_" in name:
            meanings.setdefault(flags[0], set()).add(name.partition("_")[2])
    assert {flag: names for flag, names in meanings.items() if len(names) > 1} == {}


@pytest.mark.parametrize("command", sorted({tuple(command.split()) for command, _, _ in parameters()}))
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    """What it does, and each of its flags."""
    result = CliRunner().invoke(commands, [*command, "--help"], terminal_width=200)
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


def test_the_readmes_commands_are_there() -> None:
    """A page names no command that is not."""
    names = {command.split()[0] for command, _, _ in parameters() if command}
    page = (PROJECT / "README.md").read_text()
    named = {
        line.split("`brokertape ")[1].split("`")[0].split()[0] for line in page.splitlines() if "| `brokertape " in line
    }
    assert named == names


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], {"google", "sqlalchemy", "redis"}),
        (["tail", "--redis", "redis://127.0.0.1:1"], {"google", "sqlalchemy"}),
        (["top", "HK.00700", "--redis", "redis://127.0.0.1:1"], {"google", "sqlalchemy"}),
        (["status", "--redis", "redis://127.0.0.1:1"], {"google", "sqlalchemy"}),
        (["publish", "--redis", "redis://127.0.0.1:1"], {"sqlalchemy"}),
        (["store", "--redis", "redis://127.0.0.1:1"], {"google"}),
    ],
)
def test_a_command_loads_what_it_needs(arguments: list[str], heavy: set[str]) -> None:
    """And leaves alone what others need."""
    result = subprocess.run(
        [sys.executable, "-c", RUN_HELP, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = set(json.loads(result.stdout.splitlines()[-1]))
    assert not loaded & heavy
    assert arguments == ["--help"] or "StoreUnavailable" in result.stderr


def test_ctrl_c_before_a_command_runs_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loading takes a second, in which somebody may change their mind."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("brokertape.cli.app.app", interrupted)
    assert main() == 130
