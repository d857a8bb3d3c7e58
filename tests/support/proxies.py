"""Proxies that stand between a publisher and its gateway and Redis: they record, and they kill at the worst moment.

They read both protocols by themselves and use nothing of ours, so that what they count is what went over the wire.
"""

import asyncio
import contextlib
import random
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

GATEWAY_HEADER = struct.Struct("<2sIBBII20s8s")
TOP_TEN = 3247
Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


class KillPoint(Enum):
    """The moments in a poll at which a crash must cost nothing."""

    SLOT_TAKEN = "slot taken but not sent"
    SENT = "sent without reply"
    NOT_COMMITTED = "reply not committed"
    COMMITTED = "committed without answer"


class Trap:
    """Kills when the armed point is reached. What is under way then is dropped with the connection."""

    def __init__(self) -> None:
        self.kill: Callable[[], None] = lambda: None
        self.armed: KillPoint | None = None
        self.sprung = asyncio.Event()

    def arm(self, point: KillPoint) -> None:
        """Kill at the next `point`."""
        self.sprung.clear()
        self.armed = point

    def reached(self, point: KillPoint) -> bool:
        """A proxy is at `point`; whether that was the end."""
        if self.armed is not point:
            return False
        self.armed = None
        self.kill()
        self.sprung.set()
        return True


@asynccontextmanager
async def gateway_proxy(port: int, trap: Trap | None, jitter_s: float = 0.0) -> AsyncIterator["GatewayProxy"]:
    """A recording proxy in front of a gateway on 127.0.0.1."""
    proxy = GatewayProxy(lambda: asyncio.open_connection("127.0.0.1", port), trap, jitter_s)
    async with _listening(proxy.serve) as proxy.port:
        yield proxy


@asynccontextmanager
async def redis_proxy(socket: Path, trap: Trap | None) -> AsyncIterator[int]:
    """A proxy in front of a Redis on a unix socket; yields its TCP port."""
    proxy = RedisProxy(lambda: asyncio.open_unix_connection(str(socket)), trap)
    async with _listening(proxy.serve) as port:
        yield port


class GatewayProxy:
    """Records when each top-ten request arrives at the gateway, after up to `jitter_s` on the way."""

    def __init__(self, connect: Connect, trap: Trap | None, jitter_s: float) -> None:
        self._connect = connect
        self._trap = trap
        self._jitter_s = jitter_s
        self.port = 0
        self.received_s: list[float] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client."""
        up_reader, up_writer = await self._connect()
        await _either(self._requests(reader, up_writer), self._replies(up_reader, writer), writer, up_writer)

    async def _requests(self, reader: asyncio.StreamReader, up: asyncio.StreamWriter) -> None:
        while frame := await _gateway_frame(reader):
            await asyncio.sleep(random.uniform(0, self._jitter_s))
            if frame[0] == TOP_TEN:
                self.received_s.append(time.monotonic())
            up.write(frame[1])

    async def _replies(self, up: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while frame := await _gateway_frame(up):
            if frame[0] == TOP_TEN and self._trap is not None and self._trap.reached(KillPoint.SENT):
                return
            await asyncio.sleep(random.uniform(0, self._jitter_s))
            writer.write(frame[1])

    def violations(self, limit: int, window_s: float) -> int:
        """How many requests came too early: the 1st and the (limit + 1)-th must lie more than the window apart."""
        times = sorted(self.received_s)
        return sum(later - earlier <= window_s for earlier, later in zip(times, times[limit:], strict=False))


class RedisProxy:
    """Knows our two scripts by their first argument, which is enough to kill before or after them."""

    def __init__(self, connect: Connect, trap: Trap | None) -> None:
        self._connect = connect
        self._trap = trap

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client: strictly a command, then its reply."""
        up_reader, up_writer = await self._connect()
        await _either(self._commands(reader, writer, up_reader, up_writer), None, writer, up_writer)

    async def _commands(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        while command := await _redis_value(reader):
            mode = _script_mode(command)
            if mode in (b"append", b"restart") and self._reached(KillPoint.NOT_COMMITTED):
                return
            up_writer.write(command)
            reply = await _redis_value(up_reader)
            if mode in (b"append", b"restart") and self._reached(KillPoint.COMMITTED):
                return
            if mode == b"reserve" and reply.startswith(b"*3\r\n:1\r\n") and self._reached(KillPoint.SLOT_TAKEN):
                return
            writer.write(reply)

    def _reached(self, point: KillPoint) -> bool:
        return self._trap is not None and self._trap.reached(point)


def _script_mode(command: bytes) -> bytes | None:
    """The first argument of an EVALSHA or EVAL after its keys."""
    parts = command.split(b"\r\n")
    if len(parts) < 8 or parts[2].upper() not in (b"EVALSHA", b"EVAL"):
        return None
    if parts[2].upper() == b"EVAL":  # its text holds line ends: only EVALSHA is told apart
        return None
    argument = 2 * (3 + int(parts[6])) + 2
    return parts[argument] if argument < len(parts) else None


async def _redis_value(reader: asyncio.StreamReader) -> bytes:
    """One RESP value, whole, as bytes; empty at the end of the stream."""
    line = await reader.readline()
    if not line.endswith(b"\r\n"):
        return b""
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=!" and int(rest) >= 0:
        return line + await reader.readexactly(int(rest) + 2)
    if kind in b"*~>%|" and int(rest) > 0:
        count = int(rest) * (2 if kind in b"%|" else 1)
        return line + b"".join([await _redis_value(reader) for _ in range(count)])
    return line


async def _gateway_frame(reader: asyncio.StreamReader) -> tuple[int, bytes] | None:
    """Protocol id and bytes of one message; None at the end of the stream."""
    try:
        header = await reader.readexactly(GATEWAY_HEADER.size)
        _, proto_id, _, _, _, body_len, _, _ = GATEWAY_HEADER.unpack(header)
        return proto_id, header + await reader.readexactly(body_len)
    except asyncio.IncompleteReadError:
        return None


async def _either(one: Awaitable[None], other: Awaitable[None] | None, *writers: asyncio.StreamWriter) -> None:
    """Run both directions until either ends; then both connections end."""
    tasks = [asyncio.ensure_future(each) for each in (one, other) if each is not None]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for writer in writers:  # before anything is awaited: a second cancellation may come at any await
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@asynccontextmanager
async def _listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(serve(reader, writer))
        connections[task] = writer
        task.add_done_callback(finish)

    def finish(task: asyncio.Task[None]) -> None:
        connections.pop(task).close()
        if not task.cancelled() and isinstance(task.exception(), OSError):
            return  # the other side was gone already

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        left = list(connections)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0)  # closed transports tell their protocols in the next round of the loop
