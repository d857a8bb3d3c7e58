"""Who publishes to this tape now: a lease each, on Redis' own clock, and how much each can poll.

`<prefix>:x:polling` is a hash: the same member as in `<prefix>:publishers` → JSON `{polls_per_s, can_poll, process}`:
how many polls a second its account has room for, whether it can make any now, and which process says so.
"""

import asyncio
import logging
import math
import time
import uuid
from typing import cast

from msgspec import DecodeError as MsgspecError
from msgspec import Struct
from msgspec.json import Decoder, Encoder

from brokertape.publisher.account import Account
from brokertape.tape.connection import RedisClient, server_time_ms, store_errors
from brokertape.tape.errors import InvalidKeys
from brokertape.tape.keys import Keys, check_name

logger = logging.getLogger("brokertape.publisher.leases")

LEASE_S = 9.0  # whoever looks once a second knows within ten that one has died
LONGEST_LEASE_MS = 10_000  # a longer one was made by a clock that has been set back, or by nobody of ours
USUAL_PER_S = 1.0  # of a publisher that does not say
FEWEST_PER_S, MOST_PER_S = 1e-3, 1e3
MOST_PUBLISHERS = 100


class Peer(Struct, frozen=True):
    """A live publisher: its account, how many polls a second that has room for, and whether it can make any now."""

    publisher: str
    account: str
    polls_per_s: float = USUAL_PER_S
    can_poll: bool = True


class _Told(Struct, frozen=True):
    polls_per_s: float = USUAL_PER_S
    can_poll: bool = True
    process: str = ""


_ENCODER = Encoder()
_DECODER = Decoder(_Told)


class Leases:
    """The leases of all publishers, one of them our own. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, account: Account, *, publisher: str) -> None:
        self._client = client
        self._keys = keys
        self._polling_key = _polling_key(keys)
        self._account = account
        self._publisher = check_name("publisher", publisher)
        self._process = uuid.uuid4().hex
        self._member: str | None = None
        self._twin_seen_at = -math.inf
        self._turn = asyncio.Lock()

    async def renew(self, polls_per_s: float, *, can_poll: bool) -> None:
        """Be known as alive for a lease more, able to poll so much or nothing; what ran out is swept away."""
        async with self._turn:
            member = f"{await self._account.confirm()}|{self._publisher}"
            if self._member == member:
                await self._look_for_twin(member)
            elif self._member is not None:
                await self._forget(self._member)  # another login has made it another account
            self._member = member
            await self._write(member, _Told(polls_per_s, can_poll, self._process))

    async def end(self) -> bool:
        """Be gone; False if another process of our name lives on, whose lease it is by now."""
        async with self._turn:
            if self._member is None:
                return True
            await self._look_for_twin(self._member)
            has_twin = time.monotonic() - self._twin_seen_at < LEASE_S
            if not has_twin:
                await self._forget(self._member)
            return not has_twin

    async def read(self) -> list[Peer]:
        """Who is alive."""
        return await live_publishers(self._client, self._keys)

    async def _look_for_twin(self, member: str) -> None:
        """Two of one name poll the same codes: nothing is lost by it, and nothing gained."""
        with store_errors():
            told = _told(cast("bytes | None", await self._client.hget(self._polling_key, member)))
        if told.process not in ("", self._process):
            if self._twin_seen_at == -math.inf:
                logger.warning("another publisher called %s is running: give each a name of its own", self._publisher)
            self._twin_seen_at = time.monotonic()

    async def _write(self, member: str, told: _Told) -> None:
        now = await server_time_ms(self._client, self._keys.publishers)
        with store_errors():
            await self._client.hset(self._polling_key, member, _ENCODER.encode(told))
            await self._client.zadd(self._keys.publishers, {member: now + round(LEASE_S * 1000)})
            gone = await self._client.zrangebyscore(self._keys.publishers, "-inf", now, start=0, num=MOST_PUBLISHERS)
            if gone:
                # What they told goes first: whoever dies in between leaves a lease that is found again.
                await self._client.hdel(self._polling_key, *gone)
                await self._client.zremrangebyscore(self._keys.publishers, "-inf", now)

    async def _forget(self, member: str) -> None:
        with store_errors():
            await self._client.hdel(self._polling_key, member)
            await self._client.zrem(self._keys.publishers, member)


async def live_publishers(client: RedisClient, keys: Keys) -> list[Peer]:
    """Who is alive, by name; of more than a hundred those that renewed last. Raises StoreError."""
    now = await server_time_ms(client, keys.publishers)
    with store_errors():
        found = await client.zrevrangebyscore(
            keys.publishers, now + LONGEST_LEASE_MS, f"({now}", start=0, num=MOST_PUBLISHERS
        )
        members = cast("list[bytes]", found)
        told = cast("list[bytes | None]", await client.hmget(_polling_key(keys), members) if members else [])
    peers = [_peer(member, payload) for member, payload in zip(members, told, strict=True)]
    return sorted((peer for peer in peers if peer is not None), key=lambda peer: (peer.publisher, peer.account))


def _polling_key(keys: Keys) -> str:
    return keys.private("polling")


def _peer(member: bytes, payload: bytes | None) -> Peer | None:
    """None for what no publisher of ours, or of the contract, is called."""
    account, _, publisher = member.decode(errors="replace").partition("|")
    try:
        check_name("account", account), check_name("publisher", publisher)
    except InvalidKeys:
        return None
    told = _told(payload)
    return Peer(publisher, account, min(max(told.polls_per_s, FEWEST_PER_S), MOST_PER_S), told.can_poll)


def _told(payload: bytes | None) -> _Told:
    """What a publisher says of itself; as usual if that is nothing, or nothing that can be."""
    try:
        told = _DECODER.decode(payload or b"{}")
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return _Told()
    return told if told.polls_per_s > 0 else _Told()
