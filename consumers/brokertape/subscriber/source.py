"""Where a subscription reads: the one seam to what is outside. Redis in service, memory in a user's own tests."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from brokertape.tape.book import Book
from brokertape.tape.events import StatusEvent
from brokertape.tape.keys import Keys
from brokertape.tape.start import id_order
from brokertape.tape.want import Want


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry as it was read."""

    stream: str
    entry_id: str
    fields: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Span:
    """The ids of a stream: the last it ever gave out, and that of the last entry it still has, None if it has none."""

    last_id: str
    last_entry_id: str | None

    def has_more(self, after_id: str) -> bool:
        """Whether there are entries behind `after_id`."""
        return self.last_entry_id is not None and id_order(self.last_entry_id) > id_order(after_id)


class Source(Protocol):
    """A tape that can be read. Calls may raise StoreUnavailable, which passes, and StoreRefused, which does not."""

    is_live: bool
    """Whether time goes on by itself. One that is not is read only when the handler waits for what comes next."""

    def now_ms(self) -> int:
        """The time that ages are counted by, ms since 1970."""

    async def keys(self) -> Keys | None:
        """The keys of the tape, None while there is none. Raises TapeMismatch."""

    def lanes(self, streams: Sequence[str]) -> Sequence[Sequence[str]]:
        """`streams` in groups of which each can be read by one `read`."""

    async def spans(self, streams: Collection[str]) -> Mapping[str, Span]:
        """The span of each stream; one that does not exist has given out nothing."""

    async def books(self, codes: Collection[str]) -> Mapping[str, Book]:
        """What is stored of `codes`, from masters; codes without one that can be read are left out."""

    async def statuses(self) -> Sequence[StatusEvent]:
        """The latest status of everything that has one."""

    async def read(self, after: Mapping[str, str], block_ms: int) -> Sequence[Entry]:
        """What comes on each stream behind the id, in order per stream; waits up to `block_ms` for the first.

        Raises EndOfTape when nothing will ever come.
        """

    async def want(self, codes: Collection[str], subscriber: str, want: Want) -> None:
        """Ask publishers for `codes` for the next while; repeated to stay."""

    async def unwant(self, codes: Collection[str], subscriber: str) -> None:
        """Ask for `codes` no more."""

    async def aclose(self) -> None:
        """Let go of what is held open."""
