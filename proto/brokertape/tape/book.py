"""The book: the latest state of one code, as the Redis hash that is the publisher's only memory."""

from collections.abc import Mapping
from typing import Any

import orjson
from msgspec import ValidationError, convert
from msgspec.json import Encoder

from brokertape.tape._model import Model
from brokertape.tape.errors import DecodeError
from brokertape.tape.rows import Row
from brokertape.tape.start import is_entry_id

_ENCODER = Encoder()


class Snapshot(Model, frozen=True):
    """The rows of a code on a trading date, as the book stores them."""

    code: str
    trading_date: str
    rows: tuple[Row, ...]


class Version(Model, frozen=True):
    """Which commit a book stands at: what a commit compares before it sets."""

    epoch: int
    seq: int
    commit: str


class Book(Model, frozen=True):
    """Latest state of one code.

    `entry_id` is its last tape entry, `commit` the random id of the commit that wrote it, `server` the Redis
    `run_id` it was written under. `asked_at` and `observed_at` (ms) are of the last good poll. `repeated` holds
    the display names that stood more than once in one table on this trading date.
    """

    epoch: int
    seq: int
    entry_id: str
    commit: str
    server: str
    asked_at: int
    observed_at: int
    data_time: int | None
    hash: str
    repeated: tuple[str, ...]
    snapshot: Snapshot

    @property
    def code(self) -> str:
        """Whose book it is."""
        return self.snapshot.code

    @property
    def trading_date(self) -> str:
        """The market date of the rows."""
        return self.snapshot.trading_date

    @property
    def rows(self) -> tuple[Row, ...]:
        """The list, buyers first, by rank."""
        return self.snapshot.rows

    @property
    def version(self) -> Version:
        """What a commit on top of this book compares with."""
        return Version(epoch=self.epoch, seq=self.seq, commit=self.commit)

    def to_hash(self) -> dict[str, bytes]:
        """The fields of the Redis hash, but `entry_id` and `server`, which only the server knows."""
        return {
            "epoch": b"%d" % self.epoch,
            "seq": b"%d" % self.seq,
            "commit": self.commit.encode(),
            "asked_at": b"%d" % self.asked_at,
            "observed_at": b"%d" % self.observed_at,
            "data_time": b"" if self.data_time is None else b"%d" % self.data_time,
            "trading_date": self.trading_date.encode(),
            "hash": self.hash.encode(),
            "repeated": orjson.dumps(self.repeated),
            "snapshot": _ENCODER.encode(self.snapshot),
        }

    @classmethod
    def from_hash(cls, fields: Mapping[bytes, bytes]) -> "Book | None":
        """The book in a Redis hash as HGETALL gives it; None for an absent key.

        Raises:
            DecodeError: The hash is not a book.
        """
        if not fields:
            return None
        try:
            values: dict[str, Any] = {name.decode(): value.decode() for name, value in fields.items()}
            values["data_time"] = values.get("data_time") or None
            values["repeated"] = orjson.loads(values.get("repeated", "[]"))
            values["snapshot"] = orjson.loads(values.get("snapshot", "{}"))
            book = convert(values, cls, strict=False)  # a hash holds text: numbers too
        except (ValidationError, UnicodeDecodeError, orjson.JSONDecodeError) as error:
            raise DecodeError(f"not a book: {error}") from error
        if not is_entry_id(book.entry_id):
            raise DecodeError(f"not a book: entry_id {book.entry_id[:64]!r} is none")
        return book
