"""How long the tape remembers: entries go by age, never past what a worker group still needs, up to a cap."""

import logging
from dataclasses import dataclass
from importlib import resources

from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.errors import StoreError
from brokertape.tape.keys import Keys

logger = logging.getLogger("brokertape.publisher.retention")

_TRIM = Script(resources.files("brokertape.publisher").joinpath("trim.lua").read_text())
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Retention:
    """Days an entry is kept, days it is kept for a group that has not had it, and entries per partition at all."""

    days: float = 7.0
    most_days: float = 14.0
    most_entries: int = 1_000_000

    def __post_init__(self) -> None:
        if not 0 < self.days <= self.most_days:
            raise ValueError(f"retention of {self.days} days, {self.most_days} at most: 0 < days <= most days")
        if self.most_entries < 1:
            raise ValueError(f"retention of {self.most_entries} entries at most: use 1 or more")


class Trimmer:
    """Trims every partition's tape and the history by the rules of `Retention`. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, retention: Retention) -> None:
        self._client = client
        self._keys = keys
        self._retention = retention

    async def trim(self, now_ms: int) -> int:
        """Take off what is old at `now_ms`; how many entries went."""
        kept = self._retention
        oldest = [f"{max(0, now_ms - round(days * _DAY_MS))}-0" for days in (kept.days, kept.most_days)]
        total = 0
        failure: StoreError | None = None
        for stream in (*self._keys.tapes(), self._keys.history):
            try:
                with store_errors():
                    removed, cut = await _TRIM.run(self._client, [stream], [*oldest, kept.most_entries])
            except StoreError as error:  # of this stream, maybe: the others must not grow for ever
                failure = failure or error
                continue
            total += removed
            for group in cut:
                logger.warning("%s: the cap took entries that group %s has not had", stream, group.decode())
        if failure is not None:
            raise failure
        return total
