"""What a sink is given: one alert, or many in one; and what a sink is. Nothing here does I/O."""

from dataclasses import dataclass
from typing import Protocol

from brokertape.tape.wording import clock_time
from brokertape.workers.alerts.event import DigestEvent, Told


class Refused(Exception):
    """Raised when a sink answers that it will not take this message: another might do."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `is_late` says that what it tells is old: it is no call to act.

    `covers` names all that is told with it, by the ids of the outbox.
    """

    told: Told
    is_late: bool
    covers: tuple[str, ...]

    @property
    def id(self) -> str:
        """The same for the same alerts, however often it is sent: receivers drop repeats by it."""
        return self.told.id

    @property
    def text(self) -> str:
        """What a person reads."""
        if isinstance(self.told, DigestEvent):
            return self.told.data.message
        late = "late: " if self.is_late else ""
        return f"{clock_time(self.told.data.at)}  {late}{self.told.data.message}"


class Sink(Protocol):
    """A channel to somebody. When `send` returns, the message is confirmed."""

    async def send(self, message: Message, /) -> None:
        """Send it.

        Raises:
            SinkUnavailable: Not now; it is kept and tried again.
            Refused: Not this one.
        """

    async def close(self) -> None:
        """Give back what it holds."""
