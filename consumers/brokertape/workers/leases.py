"""The seam for leases: who of an ordered group owns which partition, on Redis' own clock."""

import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any

from brokertape.tape.connection import RedisClient, Script, store_errors

# Goes on while the machine is suspended, as Redis' clock does; systems without one have only the other.
lease_clock: Callable[[], float] = (
    partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)

_LEASES = Script(resources.files("brokertape.workers").joinpath("leases.lua").read_text())


@dataclass(slots=True)
class Tenure:
    """The time for which a partition is ours, as far as we know.

    `valid_until` lies on `lease_clock`, counted from before the lease was asked for: it ends no later than the lease
    does, also for a process that was frozen. `token` rises with every change of owner.
    """

    partition: int
    token: int
    valid_until: float
    clock: Callable[[], float] = lease_clock

    @property
    def left_s(self) -> float:
        """How long it is still ours for certain."""
        return self.valid_until - self.clock()

    @property
    def is_valid(self) -> bool:
        """Whether nobody else can have the partition."""
        return self.left_s > 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What is ours now: partition → token. `share` is how many partitions a member may hold."""

    share: int
    tokens: Mapping[int, int]


class Leases:
    """One member's leases. Every run has a name of its own: a restarted worker waits for its old leases to end."""

    def __init__(self, client: RedisClient, key: str, consumer: str, partitions: int, lease_s: float) -> None:
        self._client = client
        self._key = key
        self._holder = f"{consumer}/{uuid.uuid4().hex[:8]}"
        self._partitions = partitions
        self._lease_ms = round(lease_s * 1000)

    async def attend(self, given_up: Iterable[int] = (), *, takes_more: bool = True) -> Grant:
        """Renew, give up, take what is free up to the share. Raises StoreError."""
        share, *pairs = await self._run("take" if takes_more else "keep", given_up)
        return Grant(share, dict(zip(pairs[::2], pairs[1::2], strict=True)))

    async def leave(self) -> None:
        """Give up everything, so that others need not wait for it to end. Raises StoreError."""
        await self._run("leave", ())

    async def _run(self, mode: str, given_up: Iterable[int]) -> Any:
        arguments = [self._holder, self._lease_ms, self._partitions, mode, *given_up]
        with store_errors():
            return await _LEASES.run(self._client, [self._key], arguments)
