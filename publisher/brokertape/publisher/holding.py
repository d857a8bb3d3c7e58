"""What this publisher holds of one code between polls, and what a reread book tells it: pure."""

from dataclasses import replace

from brokertape.publisher.commit import StoredBook
from brokertape.publisher.step import Base
from brokertape.tape.book import Book, Version
from brokertape.tape.events import BaselineReason


class Holding:
    """One code's base for the next poll, and the last commit that was this publisher's own.

    The book in Redis is the truth. Our own last commit only tells when that truth has lost something.
    """

    def __init__(self, stored: StoredBook) -> None:
        self._own: Version | None = None
        self.base = Base(None)
        self.reread(stored)

    def reread(self, stored: StoredBook) -> None:
        """Take `stored` as the base from now on."""
        known = [version.epoch for version in (self._own, stored.book) if version is not None]
        self.base = Base(
            stored.book,
            restart=self._restart(stored),
            epoch_floor=max(known, default=0),
            backward_replies=self.base.backward_replies if _same(self.base.book, stored.book) else 0,
        )

    def committed(self, book: Book) -> None:
        """`book` is what this publisher has just written."""
        self._own = book.version
        self.base = Base(book)

    def touched(self, book: Book) -> None:
        """The stamps of the book moved."""
        self.base = Base(book)

    def dropped(self, base: Base) -> None:
        """The reply was no good poll: only the run of such replies is remembered, unless the base moved on."""
        if _same(self.base.book, base.book):
            self.base = replace(self.base, backward_replies=base.backward_replies)

    def _restart(self, stored: StoredBook) -> BaselineReason | None:
        book, own = stored.book, self._own
        if book is None:
            return None if own is None else "rolled_back"
        if book.server != stored.server:
            return "server_changed"
        if own is None or (book.epoch, book.seq) > (own.epoch, own.seq) or book.version == own:
            return None
        return "rolled_back"


def _same(one: Book | None, other: Book | None) -> bool:
    return one is not None and other is not None and one.version == other.version
