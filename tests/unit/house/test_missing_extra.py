"""The `brokertape` command when an extra is not installed."""

import importlib.metadata
import sys
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from brokertape import cli
from support.source_tree import pyproject


def app_that_lacks(module: str) -> ModuleType:
    """A stand-in for `brokertape.cli.app` whose command needs `module`, which is not there."""

    def app() -> None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    stand_in = ModuleType("brokertape.cli.app")
    stand_in.__dict__["app"] = app
    return stand_in


@pytest.mark.parametrize(
    ("module", "extra"),
    [
        ("typer", "cli"),
        ("google.protobuf", "publisher"),
        ("sqlalchemy.ext", "store"),
        ("psycopg", "store"),
        ("pyarrow", "parquet"),
    ],
)
def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str, extra: str
) -> None:
    """The line says what to install, and the exit code is that of bad input."""
    monkeypatch.setitem(sys.modules, "brokertape.cli.app", app_that_lacks(module))
    assert cli.main() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert f"pip install 'brokertape[{extra}]'" in printed.err


def test_a_missing_module_of_ours_is_no_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in the package shows as it is, instead of sending people to install something."""
    monkeypatch.setitem(sys.modules, "brokertape.cli.app", app_that_lacks("brokertape.gone"))
    with pytest.raises(ModuleNotFoundError, match=r"brokertape\.gone"):
        cli.main()


def test_the_command_knows_every_extra() -> None:
    """Each package of an extra is in the command's table, under that extra."""
    modules_of: dict[str, set[str]] = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            modules_of.setdefault(canonicalize_name(distribution), set()).add(module)
    optional = pyproject()["project"]["optional-dependencies"]
    del optional["pandas"]  # for a method of the library, which says so itself
    for extra, lines in optional.items():
        for name in (Requirement(line).name for line in lines if not line.startswith("brokertape[")):
            known = {module for module in modules_of[canonicalize_name(name)] if cli._EXTRA_OF.get(module) == extra}
            assert known, f"{name} of extra {extra}"
