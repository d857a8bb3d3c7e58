"""Which part of the house may import which: by our own reading of the source, and by import-linter.

Two independent checks, and each is shown to fail: a rule that has silently stopped working helps nobody.
"""

import ast
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

from support.source_tree import PROJECT, ROOTS, copy_of_roots, modules, pyproject

pytestmark = pytest.mark.one_python  # it reads files

# What each part may import of ours, itself aside. `cli`, the composition root, may import anything.
ALLOWED = {
    "tape": set[str](),
    "gateway_pb": set[str](),
    "gateway": {"gateway_pb"},
    "simulator": {"gateway", "gateway_pb", "tape"},
    "publisher": {"gateway", "tape"},
    "subscriber": {"tape"},
    "testing": {"subscriber", "tape"},
    "workers": {"subscriber", "tape"},
}

# One import a contract of pyproject.toml forbids, as (file, statement, words of the contract's name).
FORBIDDEN = [
    ("consumers/brokertape/workers/__init__.py", "import brokertape.gateway", "Consumers know nothing"),
    ("publisher/brokertape/publisher/__init__.py", "from brokertape import subscriber", "publisher's side knows"),
    ("publisher/brokertape/gateway/__init__.py", "import brokertape.cli", "publisher's side knows"),
    ("proto/brokertape/tape/__init__.py", "from brokertape.publisher import poll", "contract stands alone"),
    ("publisher/brokertape/gateway/__init__.py", "import redis.asyncio", "knows no Redis"),
    ("publisher/brokertape/publisher/__init__.py", "import brokertape.simulator", "meet on the wire only"),
    ("consumers/brokertape/subscriber/__init__.py", "import sqlalchemy", "subscriber needs no extra"),
]


@cache  # a planted import changes one file of five hundred
def imported_names(source: str, package: str, file: str = "<test>") -> tuple[str, ...]:
    """Every module that `source` (in `package`) names in an import of any form, wherever it stands."""
    return tuple(_imported_names(ast.parse(source, file), package))


def _imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                parts = package.split(".")[: len(package.split(".")) - level + 1] if level else []
                base = ".".join([*parts, *([module] if module else [])])
                yield from (f"{base}.{alias.name}" for alias in names)
            case ast.Call(
                func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield name


def violations(project: Path) -> list[str]:
    """Every import of ours that goes against the direction, as `importer -> imported`."""
    found = []
    for name, path in modules(project):
        part = name.split(".")[1]
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        for imported in imported_names(path.read_text(), package, path.name):
            top, _, rest = imported.partition(".")
            target = rest.partition(".")[0]
            if top == "brokertape" and part != "cli" and target not in {part, *ALLOWED[part]}:
                found.append(f"{name} -> {imported}")
    return found


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    """import-linter's verdict on `project`, seeing no other copy of the package.

    `-S` keeps Python from reading the .pth file of the editable install, which would add this tree's roots.
    """
    paths = [*(str(project / root) for root in ROOTS), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    return subprocess.run(
        [sys.executable, "-S", "-c", program, "--no-cache"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_imports_point_downwards_only() -> None:
    """No module of the tree imports against the direction."""
    assert violations(PROJECT) == []


@pytest.mark.parametrize(("file", "statement"), [(file, line) for file, line, _ in FORBIDDEN if "brokertape" in line])
def test_our_own_check_sees_a_forbidden_import(tmp_path: Path, file: str, statement: str) -> None:
    """One planted import is one violation, even inside a function."""
    project = copy_of_roots(tmp_path)
    with (project / file).open("a") as module:
        module.write(f"\n\ndef late() -> None:\n    {statement}\n")
    assert len(violations(project)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import brokertape.publisher",
        "import brokertape.publisher.poll as d",
        "from brokertape import publisher",
        "from brokertape.publisher import poll",
        "from ..publisher import poll",
        "from .. import publisher",
        "if TYPE_CHECKING:\n    import brokertape.publisher",
        "def f():\n    from brokertape.publisher.poll import Poller",
        "importlib.import_module('brokertape.publisher')",
    ],
)
def test_no_form_of_import_escapes_our_own_check(source: str) -> None:
    """Absolute, relative, late, for the checker only, by name: all are read as the same import."""
    [name] = imported_names(source, "brokertape.subscriber")
    assert f"{name}.".startswith("brokertape.publisher.")


def test_import_linter_keeps_its_contracts() -> None:
    """The contracts of pyproject.toml hold."""
    result = lint_imports(PROJECT)
    assert result.returncode == 0, result.stdout


def test_import_linter_reads_all_three_roots() -> None:
    """Its graph of the namespace holds every module there is: it cannot pass by not looking."""
    root_packages = pyproject()["tool"]["importlinter"]["root_packages"]
    graph = grimp.build_graph(*root_packages, cache_dir=None)
    assert {name for name, _ in modules()} <= graph.modules


@pytest.mark.parametrize(("file", "statement", "contract"), FORBIDDEN)
def test_import_linter_sees_a_forbidden_import(tmp_path: Path, file: str, statement: str, contract: str) -> None:
    """Each contract breaks on an import that it forbids."""
    project = copy_of_roots(tmp_path)
    with (project / file).open("a") as module:
        module.write(f"\n\n{statement}\n")
    result = lint_imports(project)
    assert result.returncode == 1, result.stdout + result.stderr
    assert re.search(rf"^.*{contract}.* BROKEN$", result.stdout, re.MULTILINE), result.stdout
