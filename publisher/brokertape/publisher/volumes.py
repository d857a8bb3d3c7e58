"""Which codes have traded, told by their day's running volumes. Pure."""

from collections.abc import Iterable

from brokertape.gateway.values import BasicQuote, SecuritySnapshot


class Volumes:
    """The last volume of every code, in shares."""

    def __init__(self) -> None:
        self._volumes: dict[str, int] = {}
        self._may_fall: set[str] = set()

    def take(self, looks: Iterable[SecuritySnapshot | BasicQuote]) -> list[str]:
        """The codes that have traded since; of one that is taken for the first time that is not known."""
        return [look.code for look in looks if self._has_traded(look)]

    def keep(self, codes: Iterable[str]) -> None:
        """Forget all others."""
        kept = set(codes)
        self._volumes = {code: volume for code, volume in self._volumes.items() if code in kept}
        self._may_fall &= kept

    def rest(self) -> None:
        """The market rests: after it a new day may begin, with volumes from 0."""
        self._may_fall |= self._volumes.keys()

    def _has_traded(self, look: SecuritySnapshot | BasicQuote) -> bool:
        code, before = look.code, self._volumes.get(look.code)
        if before is not None and look.volume < before and code not in self._may_fall:
            return False  # older than what somebody else has told
        if look.volume != before:
            self._may_fall.discard(code)
        self._volumes[code] = look.volume
        return before is not None and look.volume not in (before, 0)
