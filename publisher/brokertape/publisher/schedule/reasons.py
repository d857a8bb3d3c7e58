"""Why a code is asked: one name for each rule that can pick one."""

from enum import StrEnum


class Reason(StrEnum):
    """The rules, in the order in which they are asked."""

    PROMISE = "promise"  # its max_staleness_s would be broken
    FIRST = "first"  # not seen yet, or not since the market began to trade
    CAP = "cap"  # no code waits for longer than two rounds
    AUDIT = "audit"  # no trade since it was seen: did its list change all the same?
    INDEX = "index"  # worth most
    SUSPECT = "suspect"  # nothing better to do: it traded, and its list was found unchanged
    IDLE = "idle"  # nothing better to do: not seen for long
    HEARTBEAT = "heartbeat"  # the market rests
