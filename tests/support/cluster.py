"""A Redis Cluster of three masters, formed with plain commands."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis

from brokertape.cli.redis_server import RedisServer

SLOTS = 16384
FORMING_TIMEOUT_S = 30.0


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def three_nodes(directory: Path, program: Path, announced: Sequence[int] | None = None) -> Iterator[list[RedisServer]]:
    """Three masters, joined; clients are told to use the `announced` ports instead of the nodes' own."""
    ports = free_ports(6)
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                RedisServer(
                    directory / f"n{number}",
                    program=program,
                    port=ports[number],
                    arguments=_arguments(ports[3 + number], announced[number] if announced else ports[number]),
                )
            )
            for number in range(3)
        ]
        clients = [stack.enter_context(contextlib.closing(_client(node))) for node in nodes]
        _join(clients, ports)
        yield nodes


@contextlib.contextmanager
def replica_of(master: RedisServer, directory: Path, program: Path) -> Iterator[RedisServer]:
    """One more node, in step with `master`, which takes its place when it is gone."""
    port, bus_port = free_ports(2)
    with (
        RedisServer(directory, program=program, port=port, arguments=_arguments(bus_port, port)) as node,
        contextlib.closing(_client(master)) as of_master,
        contextlib.closing(_client(node)) as client,
    ):
        master_id = of_master.execute_command("CLUSTER", "MYID")
        of_master.execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus_port)
        _until(lambda: master_id in client.execute_command("CLUSTER", "NODES"), "the node did not join")
        client.execute_command("CLUSTER", "REPLICATE", master_id)
        _until(lambda: client.info("replication")["master_link_status"] == "up", "the replica did not catch up")
        yield node


def has_taken_over(replica: RedisServer, others: Sequence[RedisServer]) -> bool:
    """Whether `replica` is a master now, and it and `others` take commands: to their knowledge every slot has one."""
    with ExitStack() as stack:
        clients = [stack.enter_context(contextlib.closing(_client(node))) for node in (replica, *others)]
        is_master: bool = clients[0].info("replication")["role"] == "master"
        return is_master and all(map(_is_well, clients))


def _client(node: RedisServer) -> Any:
    return redis.Redis(unix_socket_path=str(node.socket))


def _until(condition: Callable[[], object], trouble: str) -> None:
    deadline = time.monotonic() + FORMING_TIMEOUT_S
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(trouble)
        time.sleep(0.05)


def _arguments(bus_port: int, announced_port: int) -> list[str]:
    return [
        *("--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--cluster-node-timeout", "1000"),
        *("--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", str(announced_port)),
        *("--cluster-announce-bus-port", str(bus_port)),
    ]


def _join(clients: Sequence[Any], ports: Sequence[int]) -> None:
    for number, client in enumerate(clients):
        first, last = number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
    for client in clients[1:]:
        client.execute_command("CLUSTER", "MEET", "127.0.0.1", ports[0], ports[3])
    _until(lambda: all(_is_whole(client) for client in clients), "the cluster did not form")


def _is_whole(client: Any) -> bool:
    return _is_well(client) and "cluster_known_nodes:3" in _info(client)


def _is_well(client: Any) -> bool:
    return "cluster_state:ok" in _info(client)


def _info(client: Any) -> str:
    info = client.execute_command("CLUSTER", "INFO")
    return info.decode() if isinstance(info, bytes) else "\n".join(f"{name}:{value}" for name, value in info.items())
