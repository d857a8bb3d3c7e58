"""What is wanted of the publishers, as it stands in Redis, and the tape's own description of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from pydantic import ValidationError

from brokertape.publisher.interest import Asked, Interest
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidCode, TapeMismatch
from brokertape.tape.interest import combine
from brokertape.tape.keys import SCHEMA, Keys, check_code
from brokertape.tape.want import Want


@dataclass(frozen=True, slots=True)
class Watched:
    """The watch list as read: what can be watched, and what cannot, with the reason."""

    wants: Mapping[str, Want]
    refused: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """What operators and live subscribers want, and both together."""

    watched: Watched
    asked: Asked

    @cached_property
    def wants(self) -> dict[str, Want]:
        """Every code that is to be polled, with one want that serves all who want it."""
        both = (self.watched.wants, self.asked.wants)
        codes = {code for wants in both for code in wants}
        return {code: combine(wants[code] for wants in both if code in wants) for code in sorted(codes)}

    @cached_property
    def refused(self) -> dict[str, str]:
        """What somebody wants and nobody in a way that can be polled, with the reason."""
        both = {**self.asked.refused, **self.watched.refused}
        return {name: reason for name, reason in both.items() if name not in self.wants}


class WatchList:
    """The watch hash, and the interest beside it. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self.interest = Interest(client, keys)

    async def wanted(self) -> Wanted:
        """All that is wanted, by whomever."""
        return Wanted(await self.read(), await self.interest.read())

    async def read(self) -> Watched:
        """All that operators watch."""
        with store_errors():
            stored = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.watch))
        wants: dict[str, Want] = {}
        refused: dict[str, str] = {}
        for name, payload in stored.items():
            code = name.decode(errors="replace")
            try:
                wants[check_code(code)] = Want.model_validate_json(payload)
            except InvalidCode as error:
                refused[code] = str(error)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                refused[code] = f"watch entry: {'.'.join(map(str, first['loc']))}: {first['msg']}"
        return Watched(wants, refused)

    async def add(self, code: str, want: Want) -> None:
        """Watch `code`, or change how urgently. Raises InvalidCode."""
        check_code(code)
        with store_errors():
            await self._client.hset(self._keys.watch, code, want.model_dump_json())

    async def add_missing(self, code: str) -> None:
        """Watch `code` unless it is watched already. Raises InvalidCode."""
        check_code(code)
        with store_errors():
            await self._client.hsetnx(self._keys.watch, code, Want().model_dump_json())

    async def keep_tape(self) -> None:
        """Make the tape anew if Redis has lost it: who joins looks for it. Raises TapeMismatch if it is another now."""
        await open_tape(self._client, self._keys)

    async def remove(self, code: str) -> bool:
        """Watch `code` no more; whether it was."""
        with store_errors():
            return bool(await self._client.hdel(self._keys.watch, code))


async def open_tape(client: RedisClient, keys: Keys) -> bool:
    """Create the tape, or check that it is the one we mean. Returns whether it existed before.

    Raises:
        TapeMismatch: It was made with another schema or partition count.
    """
    wanted = {"schema": str(SCHEMA), "partitions": str(keys.partitions)}
    with store_errors():
        created = [bool(await client.hsetnx(keys.meta, field, value)) for field, value in wanted.items()]
        stored = cast("dict[bytes, bytes]", await client.hgetall(keys.meta))
    for field, value in wanted.items():
        found = stored.get(field.encode(), b"").decode(errors="replace")
        if found != value:
            raise TapeMismatch(
                f"the tape at {keys.meta} has {field} = {found}, this program is set to {value}: "
                f"use the same {field}, or another key prefix for a new tape"
            )
    return not all(created)
