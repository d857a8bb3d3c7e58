"""What alerts remember, kept in memory as it would be in Redis: for tests of what is written and read again."""

from typing import Any, cast

from brokertape.tape.book import Book
from brokertape.tape.keys import Keys
from brokertape.workers.alert_keys import AlertKeys
from brokertape.workers.alerts.event import Told
from brokertape.workers.alerts.ledger import Entry, Ledger, Verdict


class _Hash:
    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}

    async def hgetall(self, _key: str) -> dict[bytes, bytes]:
        return dict(self.fields)


class MemoryLedger(Ledger):
    """The hash and the outbox; `books` are the tape's, by code."""

    def __init__(self) -> None:
        self._hash = _Hash()
        super().__init__(cast("Any", self._hash), AlertKeys(Keys(), "alerts"))
        self.told: list[Told] = []
        self.books: dict[str, Book] = {}
        self.writes = 0

    @property
    def token(self) -> int:
        """The highest that wrote."""
        return int(self.fields.get(b"token", b"0"))

    @token.setter
    def token(self, token: int) -> None:
        self.fields[b"token"] = str(token).encode()

    @property
    def fields(self) -> dict[bytes, bytes]:
        """The hash."""
        return self._hash.fields

    async def write(self, entry: Entry) -> Verdict:
        """As judge.lua does it."""
        if entry.token < self.token:
            return Verdict.FENCED
        if any(self.fields.get(name.encode(), b"") != value for name, value in entry.expected.items()):
            return Verdict.MOVED
        self.token = entry.token
        for name, value in entry.fields.items():
            if value:
                self.fields[name.encode()] = value
            else:
                self.fields.pop(name.encode(), None)
        self.told += entry.told
        self.writes += 1
        return Verdict.WRITTEN

    async def book(self, code: str) -> Book | None:
        """As Ledger has it."""
        return self.books.get(code)
