"""How much of a time the market was open, for telling a code that nobody looked at from a lunch break. Pure.

HKEX trades 09:30 to 12:00 and 13:00 to 16:00; the closing auction has no looks to miss. Holidays and half days need no
calendar here: rules count only time in which other codes were looked at.
"""

from brokertape.tape.market_time import HKT

SESSIONS_MS = ((34_200_000, 43_200_000), (46_800_000, 57_600_000))
_DAY_MS = 86_400_000
_ZONE_MS = int(HKT.utcoffset(None).total_seconds() * 1000)


def open_ms(begin: int, end: int) -> int:
    """For how long between two moments (ms since 1970) the sessions of the day of the first one ran."""
    midnight = (begin + _ZONE_MS) // _DAY_MS * _DAY_MS - _ZONE_MS
    return sum(max(0, min(end, midnight + closes) - max(begin, midnight + opens)) for opens, closes in SESSIONS_MS)
