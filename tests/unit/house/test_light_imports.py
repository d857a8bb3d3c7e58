"""What importing a part of the product loads: a strategy engine pays for the client and nothing more."""

import json
import subprocess
import sys

import pytest

# What only the extras bring, hidden from the interpreter: redis-py, for one, imports cryptography if it finds it.
IMPORT_WITHOUT_EXTRAS = """
import json, sys

class Absent:
    names = {"aiosqlite", "cryptography", "google", "prometheus_client", "psycopg", "pyarrow", "pydantic_settings"}
    names |= {"rich", "sqlalchemy", "structlog", "typer"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
__import__(sys.argv[1])
print(json.dumps([name for name in sys.modules if name.startswith("brokertape.")]))
"""


def loaded_by(module: str) -> set[str]:
    """The modules of ours that a fresh interpreter without any extra holds after importing `module`."""
    command = [sys.executable, "-c", IMPORT_WITHOUT_EXTRAS, module]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("module", "parts"),
    [
        ("brokertape.tape", {"tape"}),
        ("brokertape.subscriber", {"tape", "subscriber"}),
        ("brokertape.testing", {"tape", "subscriber", "testing"}),
        ("brokertape.workers", {"tape", "subscriber", "workers"}),
    ],
)
def test_what_others_import_stays_light(module: str, parts: set[str]) -> None:
    """The parts for other people need no extra and load nothing else of ours."""
    assert {name.split(".")[1] for name in loaded_by(module)} <= parts


def test_the_command_loads_nothing_before_it_runs() -> None:
    """`brokertape.cli` alone loads no other part of ours: it must come up without its extra to say so."""
    assert loaded_by("brokertape.cli") == {"brokertape.cli"}
