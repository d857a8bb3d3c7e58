"""What a schedule has learnt, as plain values: tomorrow's need not learn it again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from brokertape.publisher.schedule.maturity import LONGEST_S, SHORTEST_S
from brokertape.publisher.schedule.rates import SLOWEST_PER_S

MOST_CODES = 10_000  # of more, those told longest ago are forgotten
FASTEST_PER_S = 20.0
LEAST_CHANGES_EACH, MOST_CHANGES_EACH = 1e-3, 40.0


class CodeLearned(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What is known of one code. None is not known.

    Attributes:
        per_s: Row changes per active second, learnt while nobody told its trades.
        changes_each: Row changes that a trade leads to, learnt while its trades were told.
    """

    per_s: float | None = None
    changes_each: float | None = None

    def checked(self) -> "CodeLearned":
        """The same without values that cannot be: it may come from anywhere."""
        return CodeLearned(
            per_s=_between(self.per_s, SLOWEST_PER_S, FASTEST_PER_S),
            changes_each=_between(self.changes_each, LEAST_CHANGES_EACH, MOST_CHANGES_EACH),
        )

    def over(self, older: "CodeLearned") -> "CodeLearned":
        """This, and where it does not know the older one."""
        return CodeLearned(
            per_s=older.per_s if self.per_s is None else self.per_s,
            changes_each=older.changes_each if self.changes_each is None else self.changes_each,
        )


class Learned(Struct, frozen=True, kw_only=True):
    """What is known of all codes, and how many seconds after a trade the lists show it."""

    codes: dict[str, CodeLearned]
    lag_s: float | None = None

    @property
    def checked_lag_s(self) -> float | None:
        """That lag, unless it cannot be."""
        return _between(self.lag_s, SHORTEST_S, LONGEST_S)


NOTHING = CodeLearned()


@dataclass(slots=True)
class Memory:
    """What is remembered by code, of codes that are not asked for as well: they may come back."""

    codes: dict[str, CodeLearned] = field(default_factory=dict)

    def of(self, code: str) -> CodeLearned:
        """What is known of `code`."""
        return self.codes.get(code, NOTHING)

    def keep(self, code: str, learned: CodeLearned) -> None:
        """Remember this of `code`, where it says anything that can be."""
        checked = learned.checked()
        if checked == NOTHING:
            return
        self.codes[code] = checked.over(self.codes.pop(code, NOTHING))
        if len(self.codes) > MOST_CODES:
            del self.codes[next(iter(self.codes))]

    def keep_all(self, codes: Mapping[str, CodeLearned]) -> None:
        """Remember all of it."""
        for code, learned in codes.items():
            self.keep(code, learned)

    @property
    def usual_per_s(self) -> float | None:
        """The rate of a usual code, judged by those that are known."""
        known = [learned.per_s for learned in self.codes.values() if learned.per_s is not None]
        return sum(known) / len(known) if known else None


def _between(value: float | None, least: float, most: float) -> float | None:
    """`value` if it lies there: what is not a number lies nowhere."""
    return value if value is not None and least <= value <= most else None
