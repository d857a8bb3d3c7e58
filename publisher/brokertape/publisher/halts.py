"""Codes that were suspended from trading or trade again, until the feed has been told."""

from brokertape.publisher.feed import Feed
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volume_signal import News

HALTED = "it does not trade: it is asked again when it does"


class Halts:
    """What volumes say of halts, and Redis does not know yet. Of each code only the last word counts."""

    def __init__(self, schedule: Schedule, feed: Feed) -> None:
        self._schedule = schedule
        self._feed = feed
        self._untold: dict[str, bool] = {}

    def hear(self, news: News) -> None:
        """These were halted or resumed."""
        self._untold |= dict.fromkeys(news.halted, True) | dict.fromkeys(news.resumed, False)

    async def tell(self) -> None:
        """Tell all of it. Raises StoreError: then what is left is told the next time."""
        while self._untold:
            code, is_halted = next(iter(self._untold.items()))
            if code not in self._schedule.codes:
                del self._untold[code]  # it is another publisher's by now
                continue
            if is_halted:
                await self._feed.trouble(code, "suspended", HALTED)
            else:
                await self._feed.status("code", code, "recovered")
            if self._untold.get(code) == is_halted:
                del self._untold[code]
