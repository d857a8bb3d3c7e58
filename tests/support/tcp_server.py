"""A real server on a TCP port, for clients that take no path of a socket."""

from pathlib import Path

from brokertape.cli.redis_server import RedisServer
from support.cluster import free_ports


class TcpServer(RedisServer):
    """A server process that listens on a port of 127.0.0.1 as well as on its unix socket."""

    def __init__(self, directory: Path, program: Path) -> None:
        [self._tcp_port] = free_ports(1)
        super().__init__(directory, program=program, port=self._tcp_port)

    @property
    def tcp_url(self) -> str:
        """Its port."""
        return f"redis://127.0.0.1:{self._tcp_port}"
