"""Which codes have traded, told by their day's running volumes. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from brokertape.gateway.values import BasicQuote, SecuritySnapshot


@dataclass(slots=True)
class News:
    """What volumes say that those before did not."""

    traded: list[str] = field(default_factory=list)
    halted: list[str] = field(default_factory=list)
    """Suspended or delisted since."""
    resumed: list[str] = field(default_factory=list)


class Volumes:
    """The last volume of every code, in shares, and whether it trades at all."""

    def __init__(self) -> None:
        self._volumes: dict[str, int] = {}
        self._halted: set[str] = set()
        self._may_fall: set[str] = set()

    def take(self, looks: Iterable[SecuritySnapshot | BasicQuote]) -> News:
        """Compare with what was taken before; of a code taken for the first time it is not known whether it traded."""
        news = News()
        for look in looks:
            self._compare(look, news)
        return news

    def keep(self, codes: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(codes)
        self._volumes = {code: volume for code, volume in self._volumes.items() if code in kept}
        self._halted &= kept
        self._may_fall &= kept

    def rest(self) -> None:
        """The market rests: after it a new day may begin, with volumes from 0."""
        self._may_fall |= self._volumes.keys()

    def _compare(self, look: SecuritySnapshot | BasicQuote, news: News) -> None:
        code, before = look.code, self._volumes.get(look.code)
        if look.is_halted != (code in self._halted):
            (news.halted if look.is_halted else news.resumed).append(code)
            self._halted ^= {code}
        if before is not None and look.volume < before and code not in self._may_fall:
            return  # older than what somebody else has told
        if before is not None and look.volume not in (before, 0):
            news.traded.append(code)
        if look.volume != before:
            self._may_fall.discard(code)
        self._volumes[code] = look.volume
