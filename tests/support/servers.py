"""Real Redis-compatible servers for the tests, of the flavour asked for."""

import os
import shutil
from pathlib import Path

import pytest

from brokertape.cli.redis_server import ServerError, find_server

IS_CI = bool(os.environ.get("CI"))

# Which server the tests run on: `redis`, `valkey`, or whatever the machine has. `.ci/run` runs both by name.
FLAVOUR = os.environ.get("BROKERTAPE_TEST_SERVER", "any")


def server_program(flavour: str = FLAVOUR) -> Path:
    """The program of a flavour; absent it is a skip at a desk and a failure in CI."""
    try:
        match flavour:
            case "redis":
                found = shutil.which("redis-server")
                if found is None:
                    raise ServerError("redis-server is not installed")
                return Path(found)
            case "valkey":
                return find_server(names=("valkey-server",))
            case _:
                return find_server()
    except ServerError as error:
        if IS_CI:
            raise
        pytest.skip(str(error))
