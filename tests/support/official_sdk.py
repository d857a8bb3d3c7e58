"""The vendor's SDK, run in a process of its own."""

import asyncio
import importlib.util
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.servers import IS_CI

SCRIPTS = Path(__file__).parent.parent / "peers"
TIMEOUT_S = 90.0


def require_sdk() -> None:
    """Without the SDK the test is skipped at a desk and fails in CI."""
    if importlib.util.find_spec("futu") is None:
        if IS_CI:
            pytest.fail("the official SDK (futu-api) is not installed")
        pytest.skip("the official SDK (futu-api) is not installed")


async def run_script(name: str, home: Path, *arguments: Path) -> str:
    """What a script of tests/peers prints; it logs under `home`."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPTS / name), *map(str, arguments)),
        env=os.environ | {"HOME": str(home)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, err.decode()
    return out.decode()


@dataclass(frozen=True)
class Given:
    """What the SDK gave back for one call: 0 and data, or -1 and a text."""

    ret: int
    data: Any

    @property
    def columns(self) -> list[str]:
        """Of a frame."""
        columns: list[str] = self.data["columns"]
        return columns

    @property
    def records(self) -> list[dict[str, Any]]:
        """A frame, row by row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.data["rows"]]


class OfficialSdk:
    """Calls made with the SDK of a gateway on a port of this host."""

    def __init__(self, home: Path, port: int, *, rsa_key_file: Path | None = None, is_encrypted: bool = True) -> None:
        self.pushes: list[list[Any]] = []
        self._home = home
        self._job = {
            "port": port,
            "rsa_key_file": str(rsa_key_file) if rsa_key_file else None,
            "is_encrypted": is_encrypted,
        }

    async def call(self, *calls: list[Any], pushes: int = 0) -> list[Given]:
        """Make calls (`[method, argument, …]`) one after the other, then wait for so many pushes."""
        job, results = self._home / "job.json", self._home / "results.json"
        job.write_text(json.dumps(self._job | {"calls": calls, "pushes": pushes}))
        await run_script("sdk_calls.py", self._home, job, results)
        written = json.loads(results.read_text())
        self.pushes = written["pushes"]
        return [Given(*result) for result in written["results"]]
