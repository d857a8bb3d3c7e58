"""What is stored of one code, as it can be lived through again: event by event, and looks that found nothing. Pure.

The order is that of (`epoch`, `seq`). An event happens again at its `observed_at`, but never before the one it comes
after: the clock of a second publisher may have been behind.

A poll that found nothing new left no event. Of the last one before an event its `since` tells: the list was asked for
then, and was still the one before.
"""

import logging
from dataclasses import dataclass

from brokertape.tape.events import TapeEvent
from brokertape.tape.rows import Row
from brokertape.workers.storage.books import BookState, Refusal, step

log = logging.getLogger("brokertape.workers.storage")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event, and its JSON exactly as it was published."""

    event: TapeEvent
    payload: bytes


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, at `at` (ms since 1970), and the rows that it led to."""

    at: int
    stored: StoredEvent
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """The list of `code` was looked at, at `at` (ms since 1970), and was as it was."""

    at: int
    code: str


Moment = Happened | Seen


@dataclass(slots=True)
class PlaybackCounts:
    """What came of stored events so far."""

    played: int = 0
    """Events that can be lived through again."""
    holes: int = 0
    """Times that an event was missing, could not be read, or did not lead to the rows that its hash is of."""
    skipped: int = 0
    """Events behind a hole, up to the next complete state."""


class Line:
    """The events of one code, taken in order.

    Behind a hole nothing can be told until the next complete state (baseline, rollover, correction).
    """

    def __init__(self, code: str, counts: PlaybackCounts) -> None:
        self._code = code
        self._counts = counts
        self._book: BookState | None = None
        self._is_torn = False
        self._is_told = False
        self._at = 0

    def take(self, stored: StoredEvent) -> list[Moment]:
        """What happens by the next event; nothing if it lies behind a hole."""
        event = stored.event
        after = step(self._book, event)
        if not self._follows(event) or isinstance(after, Refusal):
            self._tear(event)
        if isinstance(after, Refusal):
            self._counts.skipped += 1
            return []
        moments = self._looks_before(event)
        self._is_torn, self._book = False, after
        self._at = max(self._at, after.observed_at)
        self._counts.played += 1
        return [*moments, Happened(self._at, stored, after.rows)]

    def _follows(self, event: TapeEvent) -> bool:
        """Whether no event is missing before this one; the first is where it begins."""
        if self._book is None or event.data.prev_seq is None:
            return True
        return (event.data.epoch, event.data.prev_seq) == (self._book.epoch, self._book.seq)

    def _tear(self, event: TapeEvent) -> None:
        if self._is_torn:
            return
        self._is_torn = True
        self._counts.holes += 1
        if not self._is_told:  # once a code: a broken disk makes thousands
            log.warning(
                "what led to %s is not stored whole: %s is left out up to a complete list", event.id, self._code
            )
        self._is_told = True

    def _looks_before(self, event: TapeEvent) -> list[Moment]:
        since = event.data.since
        if self._book is None or since is None or since <= self._at or not self._follows(event):
            return []
        self._at = since
        return [Seen(since, self._code)]
