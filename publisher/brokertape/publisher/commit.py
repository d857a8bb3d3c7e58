"""Books and tape in Redis: reading a book, and committing a poll on top of the one it was judged against."""

from dataclasses import dataclass
from importlib import resources

from msgspec.structs import replace

from brokertape.publisher.step import Append, Touch
from brokertape.tape.book import Book
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.events import BaselineEvent
from brokertape.tape.keys import Keys

_LUA = resources.files("brokertape.publisher")
_COMMIT = Script(_LUA.joinpath("commit.lua").read_text())
_READ = Script(_LUA.joinpath("read_book.lua").read_text())


@dataclass(frozen=True, slots=True)
class StoredBook:
    """A book as it stands in Redis, None if there is none, and the `run_id` of the server that was asked."""

    book: Book | None
    server: str


@dataclass(frozen=True, slots=True)
class Committed:
    """The poll is on the tape (or was already: its reply had been lost), and this is the book now."""

    book: Book


@dataclass(frozen=True, slots=True)
class Conflict:
    """Another book is stored than the poll was judged against: nothing was written, the book must be reread."""


class BookStore:
    """The commit protocol over one Redis, Sentinel master or Cluster.

    Every call raises StoreUnavailable when Redis does not answer. A commit that raised it is in doubt: repeat the
    very same one, it is written once.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    async def read(self, code: str) -> StoredBook:
        """The stored book of `code`, and the server it was read from, in one step."""
        with store_errors():
            server, fields = await _READ.run(self._client, [self._keys.book(code)], [])
        return StoredBook(Book.from_hash(dict(zip(fields[::2], fields[1::2], strict=True))), server.decode())

    async def commit(self, held: Book | None, step: Append | Touch) -> Committed | Conflict:
        """Write `step` if `held` is still what is stored.

        Args:
            held: The book that was held when the request was sent; None if there was none.
            step: What the poll makes of it.
        """
        code = step.book.code
        keys = [self._keys.book(code), self._keys.tape_of(code), self._keys.codes(self._keys.partition(code))]
        with store_errors():
            status, entry_id, server = await _COMMIT.run(self._client, keys, _arguments(held, step))
        if status == b"CONFLICT":
            return Conflict()
        written = {"entry_id": entry_id.decode(), "server": server.decode()}
        return Committed(replace(step.book, **written))


def _arguments(held: Book | None, step: Append | Touch) -> list[str | bytes]:
    version = _version(held)
    if isinstance(step, Touch):
        book = step.book
        return ["touch", *version, str(book.asked_at), str(book.observed_at), str(book.data_time or "")]
    # A publisher's first event of a code is a baseline; that of a replay may be any complete state.
    mode = "restart" if held is None or isinstance(step.event, BaselineEvent) else "append"
    entry = encode_entry(step.event, step.payload)
    return [
        mode,
        *version,
        step.book.code,
        step.book.commit,
        *(entry[name] for name in ("topic", "type", "encoding", "payload")),
        *(part for field in step.book.to_hash().items() for part in field),
    ]


def _version(held: Book | None) -> tuple[str, str, str]:
    return ("", "", "") if held is None else (str(held.epoch), str(held.seq), held.commit)
