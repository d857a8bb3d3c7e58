"""Beginning with the books: each partition's books as they stand, then all that comes after them."""

from importlib import resources
from typing import Any, cast

from brokertape.tape.book import Book
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.keys import Keys
from brokertape.workers.delivery import BooksHandler

_OPENING = Script(resources.files("brokertape.workers").joinpath("opening.lua").read_text())


class Opening:
    """Hands the books of a partition over before a group is created behind them.

    Books and end of the tape are read in one step, so no event after them is missing or already in them. The group
    is created after the handler returned: a crash in between hands the books over again.
    """

    def __init__(self, client: RedisClient, keys: Keys, handler: BooksHandler) -> None:
        self._client = client
        self._keys = keys
        self._handler = handler

    async def open(self, partition: int) -> str:
        """Hand the books over; the entry id to read after. Raises StoreError, DecodeError and what the handler does."""
        last_id, books = await self._read(partition)
        if books:
            await self._handler(books)
        return last_id

    async def _read(self, partition: int) -> tuple[str, list[Book]]:
        codes_key = self._keys.codes(partition)
        while True:
            with store_errors():
                codes = cast("set[bytes]", await self._client.smembers(codes_key))
                books = [self._keys.book(code.decode()) for code in sorted(codes)]
                reply: Any = await _OPENING.run(self._client, [self._keys.tape(partition), codes_key, *books], [])
            if reply is not None:  # else a code got its first book in between
                break
        found = (Book.from_hash(dict(zip(book[::2], book[1::2], strict=True))) for book in reply[1:])
        return reply[0].decode(), [book for book in found if book is not None]
