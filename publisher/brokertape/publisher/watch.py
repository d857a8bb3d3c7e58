"""What operators asked to watch, as it stands in Redis, and the tape's own description of itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pydantic import ValidationError

from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidCode, TapeMismatch
from brokertape.tape.keys import SCHEMA, Keys, check_code
from brokertape.tape.want import Want


@dataclass(frozen=True, slots=True)
class Watched:
    """The watch list as read: what can be watched, and what cannot, with the reason."""

    wants: Mapping[str, Want]
    refused: Mapping[str, str]


class WatchList:
    """The watch hash. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def read(self) -> Watched:
        """All that is watched."""
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
