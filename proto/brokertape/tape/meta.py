"""What the tape says of itself: the hash that its first publisher wrote."""

from typing import cast

from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import InvalidKeys, TapeMismatch
from brokertape.tape.keys import SCHEMA, Keys


async def read_meta(client: RedisClient, prefix: str) -> Keys | None:
    """The keys of the tape under `prefix`, with the partitions it was made with; None while there is none.

    Raises:
        TapeMismatch: It was made with another schema, or its partition count cannot be.
        StoreError: Redis does not answer, or will not let us.
    """
    with store_errors():
        fields = cast("dict[bytes, bytes]", await client.hgetall(Keys(prefix).meta))
    meta = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in fields.items()}
    if not {"schema", "partitions"} <= meta.keys():
        return None  # or a publisher is just writing it
    if meta["schema"] != str(SCHEMA):
        raise TapeMismatch(f"tape {prefix!r} has schema {meta['schema']}, this version reads {SCHEMA}")
    try:
        return Keys(prefix, int(meta["partitions"]))
    except (InvalidKeys, ValueError) as error:
        raise TapeMismatch(f"tape {prefix!r} has partitions = {meta['partitions']}") from error
