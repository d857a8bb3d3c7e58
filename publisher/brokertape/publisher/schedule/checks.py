"""Lists to look at again: did the last poll come too early to see what its trades had changed?"""

from collections import deque
from collections.abc import Mapping

from brokertape.publisher.schedule.entry import Entry

MOST_KEPT = 1_000


class Checks:
    """Codes that were polled for trades, the latest last. One that has traded since, or was polled again, is none."""

    def __init__(self) -> None:
        self._asked: deque[tuple[str, float]] = deque(maxlen=MOST_KEPT)

    def add(self, code: str, asked_at: float) -> None:
        """`code` was polled for trades at `asked_at`."""
        self._asked.append((code, asked_at))

    def first(self, entries: Mapping[str, Entry], before: float) -> str | None:
        """The code polled longest ago, if that was before `before`, of those that are free to be asked."""
        while self._asked and self._asked[0][1] < before:
            code, asked_at = self._asked[0]
            entry = entries.get(code)
            if entry is not None and entry.asked_at == asked_at and entry.trades is not None and entry.trades.is_quiet:
                return code
            self._asked.popleft()
        return None
