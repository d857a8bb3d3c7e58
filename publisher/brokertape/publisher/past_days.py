"""The past days still to ask for, newest first over all codes, and when going further back ends. Pure.

What is asked is what nothing is known of: no list was published of that code and date, and the gateway did not say
lately that it has none.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date as calendar_date

from brokertape.publisher.day_count import DayCount

# A list may be missing because it is late, because nobody traded that day, or because the code was not listed yet.
EMPTY_DAYS_END = 2  # so many in a row end going back: one alone is a suspension, or late
LATE_DAYS = 3  # missing within so many trading days it may be late: asked again on another day
RECHECK_DAYS = 30  # and no absence is believed for longer (calendar days): a refusal may have had other reasons


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of a code and date: its list was published, or on the day `absent_on` there was none.

    `is_end`: the gateway refused that day, and goes no further back.
    """

    absent_on: str | None = None
    is_end: bool = False


Marks = dict[str, dict[str, Known]]  # trading date → code


@dataclass(frozen=True, slots=True)
class Step:
    """One request: `days_before` of `code`, which should be the list of `date`."""

    code: str
    days_before: int
    date: str


def is_settled(known: Known | None, date: str, count: DayCount) -> bool:
    """Whether a code's list of `date` need not be asked for today, by what is remembered of it."""
    if known is None or known.absent_on is None:
        return known is not None
    today = count.today
    if known.absent_on >= today:
        return True
    was_late = count.trading_days_between(date, known.absent_on) < LATE_DAYS
    return not was_late and days_between(known.absent_on, today) < RECHECK_DAYS


def days_between(earlier: str, later: str) -> int:
    """Calendar days between two dates."""
    return (calendar_date.fromisoformat(later) - calendar_date.fromisoformat(earlier)).days


class PastDays:
    """What is left to ask for while days are counted back from one day. Bounded by codes times days.

    Args:
        codes: The codes, in the order in which they are asked for.
        days: How many trading days back.
        count: What `days_before` means.
        marks: What is remembered; what is learned is added to it.
    """

    def __init__(self, codes: Sequence[str], days: int, count: DayCount, marks: Marks) -> None:
        self._codes = codes
        self._days = days
        self._marks = marks
        self._asked: set[tuple[str, int]] = set()
        self._ended: set[str] = set()
        self.recount(count)
        self.wanted = len(codes) * len(self._wanted_dates())
        self.already_there = sum(map(self._published_on, self._wanted_dates()))

    @property
    def left(self) -> int:
        """How many requests are left, unless codes come to their end."""
        return sum(step.code not in self._ended for step in self._steps)

    def next(self) -> Step | None:
        """What to ask now, the same until an answer is told; None when nothing is left."""
        while self._steps and self._steps[-1].code in self._ended:
            self._steps.pop()
        return self._steps[-1] if self._steps else None

    def published(self, step: Step, date: str) -> None:
        """The answer to the next step was the list of `date`, and is remembered."""
        self._answered(step, date, Known())

    def absent(self, step: Step, known: Known) -> None:
        """The gateway has no list for the next step, which is its code's end if so many days in a row have none."""
        self._answered(step, step.date, known)
        run = range(max(1, step.days_before - EMPTY_DAYS_END + 1), step.days_before + 1)
        if sum(self._weight(step.code, self.count.date(days_before)) for days_before in run) >= EMPTY_DAYS_END:
            self._ended.add(step.code)

    def end(self, code: str) -> int:
        """Go no further back for `code` now; how many steps that leaves out."""
        left = self.left
        self._ended.add(code)
        return left - self.left

    def end_all(self) -> int:
        """Ask nothing more now; how many steps that leaves out."""
        left = self.left
        self._ended.update(self._codes)
        return left

    def recount(self, count: DayCount) -> None:
        """`days_before` means something else than it was taken for: what was asked with it is not asked again."""
        self.count = count
        self._steps = list(self._missing())[::-1]

    def _missing(self) -> Iterator[Step]:
        absent_in_a_row = dict.fromkeys(self._codes, 0)
        for days_before, date in enumerate(self._wanted_dates(), start=1):
            for code in self._codes:
                if absent_in_a_row[code] >= EMPTY_DAYS_END:
                    continue
                if self._need_not_be_asked(code, days_before, date):
                    weight = self._weight(code, date)
                    absent_in_a_row[code] = absent_in_a_row[code] + weight if weight else 0
                else:
                    absent_in_a_row[code] = 0
                    yield Step(code, days_before, date)

    def _need_not_be_asked(self, code: str, days_before: int, date: str) -> bool:
        return (code, days_before) in self._asked or is_settled(self._known(code, date), date, self.count)

    def _answered(self, step: Step, date: str, known: Known) -> None:
        self._asked.add((step.code, step.days_before))
        self._marks.setdefault(date, {})[step.code] = known
        self._steps.pop()

    def _wanted_dates(self) -> list[str]:
        dates = (self.count.date(days_before) for days_before in range(1, self._days + 1))
        return [date for date in dates if date is not None]

    def _published_on(self, date: str) -> int:
        known = (self._known(code, date) for code in self._codes)
        return sum(one is not None and one.absent_on is None for one in known)

    def _weight(self, code: str, date: str | None) -> int:
        """How many days without a list this one counts for."""
        known = self._known(code, date or "")
        if known is None or known.absent_on is None:
            return 0
        return EMPTY_DAYS_END if known.is_end else 1

    def _known(self, code: str, date: str) -> Known | None:
        return self._marks.get(date, {}).get(code)
