"""Who publishes to this tape now: a lease each, on Redis' own clock, and how much each can poll.

`<prefix>:x:polls_per_s` is a hash: the same member as in `<prefix>:publishers` → how many polls a second its account
has room for, 0 while its gateway cannot be asked.
"""

import math
from dataclasses import dataclass
from typing import cast

from brokertape.publisher.account import Account
from brokertape.tape.connection import RedisClient, server_time_ms, store_errors
from brokertape.tape.keys import Keys, check_name

LEASE_S = 9.0  # whoever looks once a second knows within ten that one has died
USUAL_PER_S = 1.0  # of a publisher that does not say
MOST_PUBLISHERS = 1000


@dataclass(frozen=True, slots=True)
class Peer:
    """A live publisher: its account, and how many polls a second that account has room for."""

    publisher: str
    account: str
    polls_per_s: float = USUAL_PER_S


class Leases:
    """The leases of all publishers, one of them our own. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, account: Account, *, publisher: str) -> None:
        self._client = client
        self._keys = keys
        self._rates_key = _rates_key(keys)
        self._account = account
        self._publisher = check_name("publisher", publisher)
        self._member: str | None = None

    async def renew(self, polls_per_s: float) -> None:
        """Be known as alive for a lease more, able to poll so much; what ran out is swept away."""
        member = f"{await self._account.name()}|{self._publisher}"
        if self._member not in (None, member):
            await self.end()  # another login has made it another account
        self._member = member
        now = await server_time_ms(self._client, self._keys.publishers)
        with store_errors():
            await self._client.hset(self._rates_key, member, f"{polls_per_s:.6g}")
            await self._client.zadd(self._keys.publishers, {member: now + round(LEASE_S * 1000)})
            gone = await self._client.zrangebyscore(self._keys.publishers, "-inf", now, start=0, num=MOST_PUBLISHERS)
        await self._forget(cast("list[bytes]", gone))

    async def end(self) -> None:
        """Be gone."""
        if self._member is not None:
            await self._forget([self._member.encode()])

    async def read(self) -> list[Peer]:
        """Who is alive."""
        return await live_publishers(self._client, self._keys)

    async def _forget(self, members: list[bytes]) -> None:
        if members:
            with store_errors():
                await self._client.zrem(self._keys.publishers, *members)
                await self._client.hdel(self._rates_key, *members)


async def live_publishers(client: RedisClient, keys: Keys) -> list[Peer]:
    """Who is alive, by name; of more than a thousand those that renewed last. Raises StoreError."""
    now = await server_time_ms(client, keys.publishers)
    with store_errors():
        found = await client.zrevrangebyscore(keys.publishers, "+inf", f"({now}", start=0, num=MOST_PUBLISHERS)
        members = cast("list[bytes]", found)
        rates = cast("list[bytes | None]", await client.hmget(_rates_key(keys), members) if members else [])
    peers = [_peer(member, rate) for member, rate in zip(members, rates, strict=True)]
    return sorted(peers, key=lambda peer: (peer.publisher, peer.account))


def _rates_key(keys: Keys) -> str:
    return keys.private("polls_per_s")


def _peer(member: bytes, rate: bytes | None) -> Peer:
    account, _, publisher = member.decode(errors="replace").partition("|")
    return Peer(publisher, account, _rate(rate))


def _rate(text: bytes | None) -> float:
    """What a publisher says of itself; the usual rate if that is nothing, or nothing that can be."""
    try:
        rate = float(text or "")
    except ValueError:
        return USUAL_PER_S
    return rate if math.isfinite(rate) and rate >= 0 else USUAL_PER_S
