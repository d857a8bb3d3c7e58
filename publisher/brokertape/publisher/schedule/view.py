"""What the schedule knows of a code, for whoever asks why."""

from dataclasses import dataclass

from brokertape.publisher.schedule.reasons import Reason


@dataclass(frozen=True, slots=True)
class CodeView:
    """One code as the schedule sees it now.

    Attributes:
        code: The code.
        weight: What a change in it is worth beside one in a code of weight 1.
        age_s: Seconds since it was asked, None if it never was.
        changes_per_h: Row changes an hour that are expected of it at this hour.
        trades_waiting: Trades told since, mature or not; None if nobody tells its trades.
        index: What a poll of it is worth now, in row changes times seconds times weight; None if it was never asked.
        reason: Why it was last asked; None if it never was.
        is_in_flight: Its answer is awaited.
        failures: Failed polls in a row.
        is_halted: It does not trade, and is not asked.
    """

    code: str
    weight: float
    age_s: float | None
    changes_per_h: float
    trades_waiting: int | None
    index: float | None
    reason: Reason | None
    is_in_flight: bool
    failures: int
    is_halted: bool
