"""Node.js programs: their packages installed in a directory of the tests' own, and the example consumer run there."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from support.servers import IS_CI
from support.source_tree import PROJECT
from support.waiting import until

SCHEMAS = PROJECT / "docs" / "schema"
STOP_TIMEOUT_S = 15.0
INSTALL_TIMEOUT_S = 300.0

_INSTALL = ("install", "--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")


def program(name: str) -> str:
    """Where `node` or `npm` is; absent it is a skip at a desk and a failure in CI."""
    found = shutil.which(name)
    if found is None and not IS_CI:
        pytest.skip(f"{name} is not installed")
    assert found is not None, f"{name} is not installed"
    return found


def install(directory: Path) -> Path:
    """Put the tests' programs and the example into `directory`, with the packages they name."""
    npm = program("npm")
    for file in (PROJECT / "tests" / "node").glob("*.*js*"):
        shutil.copy(file, directory)
    shutil.copytree(
        PROJECT / "examples" / "node", directory / "consumer", ignore=shutil.ignore_patterns("node_modules")
    )
    result = subprocess.run(
        [npm, *_INSTALL], cwd=directory, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False
    )
    assert result.returncode == 0, result.stderr
    return directory


def run_json(directory: Path, script: str, *arguments: str, given: object = None) -> Any:
    """What a script prints, with `given` on its standard input, both as JSON."""
    result = subprocess.run(
        [program("node"), script, *arguments],
        cwd=directory,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


class Consumer:
    """The example as it runs: what it prints goes to a file, from which it is read line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", out: Path) -> None:
        self.process = process
        self._out = out

    @property
    def happenings(self) -> list[dict[str, Any]]:
        """All that it has told so far, whole lines only."""
        lines = self._out.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def told(self, what: str, code: str | None = None) -> list[dict[str, Any]]:
        """What of one sort it has told, of one code or of all."""
        return [one for one in self.happenings if one["what"] == what and code in (None, one.get("code"))]

    def seq(self, code: str) -> int:
        """Where its book of a code stands; 0 without one."""
        books = [one["book"] for one in self.happenings if one.get("code") == code and one.get("book")]
        return int(books[-1]["seq"]) if books else 0

    async def end(self) -> dict[str, Any]:
        """Tell it to end; its last words. It must end well."""
        self.process.send_signal(signal.SIGTERM)
        await until(lambda: self.process.poll() is not None, STOP_TIMEOUT_S)
        assert self.process.returncode == 0, self.happenings[-1:]
        return self.happenings[-1]


@contextmanager
def consumer(directory: Path, redis_url: str, codes: Sequence[str], *options: str) -> Iterator[Consumer]:
    """The example consumer on a tape, its output in JSON; killed at the end of the block."""
    out = directory / f"consumer-{os.urandom(4).hex()}.out"
    with out.open("wb") as file:
        process = subprocess.Popen(
            [
                program("node"),
                "follow.mjs",
                "--redis",
                redis_url,
                "--json",
                "--validate",
                str(SCHEMAS),
                *options,
                *codes,
            ],
            cwd=directory / "consumer",
            stdout=file,
        )
    try:
        yield Consumer(process, out)
    finally:
        process.kill()
        process.wait()
