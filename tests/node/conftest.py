"""Node's packages, installed once for the run, and a server that Node can reach."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.node import install, program
from support.tcp_server import TcpServer


@pytest.fixture(scope="session")
def node_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with our Node programs and their packages."""
    program("node")
    return install(tmp_path_factory.mktemp("node"))


@pytest.fixture
def tcp_server(redis_program: Path, short_dir: Path) -> Iterator[TcpServer]:
    """A real server of this test's own, which it may kill and start."""
    with TcpServer(short_dir / "r", redis_program) as server:
        yield server
