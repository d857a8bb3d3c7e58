"""What systemd is told of a service: that it is up, that its event loop goes round, that it is ending.

The protocol is a datagram of `NAME=value` lines to the socket that `NOTIFY_SOCKET` names (man 3 sd_notify). Without
one nothing is sent.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping

READY, STOPPING, WATCHDOG = b"READY=1", b"STOPPING=1", b"WATCHDOG=1"
BEATS_PER_LIMIT = 3  # in the time after which systemd takes the service for hung


@contextlib.asynccontextmanager
async def told_to_systemd(stop: asyncio.Event, env: Mapping[str, str] = os.environ) -> AsyncIterator[None]:
    """Tell systemd, if it asks, what goes on inside the block: an event loop that hangs there is restarted."""
    address = env.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        yield
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notify:
        notify.setblocking(False)
        notifier = _Notifier(notify, address.replace("@", "\0", 1))
        notifier.tell(READY)
        tasks = [asyncio.create_task(notifier.tell_end(stop)), asyncio.create_task(notifier.beat(_limit_s(env)))]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _limit_s(env: Mapping[str, str]) -> float | None:
    """After how long systemd takes this process for hung; None if it does not watch it."""
    limit_us, pid = env.get("WATCHDOG_USEC", ""), env.get("WATCHDOG_PID", str(os.getpid()))
    return int(limit_us) / 1e6 if limit_us.isdecimal() and pid == str(os.getpid()) else None


class _Notifier:
    def __init__(self, notify: socket.socket, address: str) -> None:
        self._notify = notify
        self._address = address

    def tell(self, what: bytes) -> None:
        """One state. A systemd that does not take it has other troubles than ours."""
        with contextlib.suppress(OSError):
            self._notify.sendto(what, self._address)

    async def tell_end(self, stop: asyncio.Event) -> None:
        """That it is ending, once it is."""
        await stop.wait()
        self.tell(STOPPING)

    async def beat(self, limit_s: float | None) -> None:
        """That the loop goes round."""
        while limit_s:
            self.tell(WATCHDOG)
            await asyncio.sleep(limit_s / BEATS_PER_LIMIT)
