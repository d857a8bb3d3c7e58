"""What live subscribers ask for, as it stands in Redis."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from brokertape.tape.connection import RedisClient, server_time_ms, store_errors
from brokertape.tape.errors import InvalidCode
from brokertape.tape.interest import INTEREST_SWEPT_AFTER_S, asked_name, combine, split_member, want_in
from brokertape.tape.keys import Keys
from brokertape.tape.want import Want

MOST_MEMBERS = 10_000
SWEEP_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Asked:
    """Live interest as read: the wants of all subscribers of a code combined, and what cannot be had, with the reason.

    `subscribers` is how many ask for a code. `is_cut`: there are more members than are read.
    """

    wants: Mapping[str, Want]
    refused: Mapping[str, str]
    subscribers: Mapping[str, int]
    is_cut: bool = False


class Interest:
    """The interest keys, on Redis' own clock. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, most_members: int = MOST_MEMBERS) -> None:
        self._client = client
        self._keys = keys
        self._most_members = most_members

    async def read(self) -> Asked:
        """What is asked for now. Of more than `most_members` those that expire last are left out."""
        now = await server_time_ms(self._client, self._keys.interest)
        with store_errors():
            found = await self._members(f"({now}", "+inf", self._most_members + 1)
            members = found[: self._most_members]
            payloads: Any = await self._client.hmget(self._keys.interest_want, members) if members else []
        return _asked(members, payloads, is_cut=len(found) > len(members))

    async def sweep(self) -> int:
        """Delete what expired long ago; how many members that were."""
        swept = 0
        while members := await self._long_expired():
            # The want first: a sweep that dies half-way finds the member again. A subscriber that wakes up in this
            # moment writes both again at its next renewal.
            with store_errors():
                await self._client.hdel(self._keys.interest_want, *members)
                await self._client.zrem(self._keys.interest, *members)
            swept += len(members)
        return swept

    async def _long_expired(self) -> list[bytes]:
        now = await server_time_ms(self._client, self._keys.interest)
        with store_errors():
            return await self._members("-inf", now - round(1000 * INTEREST_SWEPT_AFTER_S), SWEEP_SIZE)

    async def _members(self, low: str, high: str | int, count: int) -> list[bytes]:
        found = await self._client.zrangebyscore(self._keys.interest, low, high, start=0, num=count)
        return cast("list[bytes]", found)


def _asked(members: Sequence[bytes], payloads: Sequence[bytes | None], *, is_cut: bool) -> Asked:
    wants: dict[str, list[Want]] = {}
    refused: dict[str, str] = {}
    for member, payload in zip(members, payloads, strict=True):
        try:
            code, _ = split_member(member)
        except InvalidCode as error:
            refused[asked_name(member)] = str(error)
        else:
            wants.setdefault(code, []).append(want_in(payload))
    return Asked(
        wants={code: combine(each) for code, each in wants.items()},
        refused=refused,
        subscribers={code: len(each) for code, each in wants.items()},
        is_cut=is_cut,
    )
