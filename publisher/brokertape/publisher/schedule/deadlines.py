"""Deadlines that are kept as late as they safely can be."""

from collections.abc import Iterable


def most_urgent(deadlines: Iterable[tuple[float, str]], now: float, interval_s: float) -> str | None:
    """The code with the earliest deadline, if waiting for one more poll would break any of them; else None.

    One poll every `interval_s`: the j-th earliest deadline is broken if it comes before the j-th poll from now. Until
    then polls are free for better things (a slack test before earliest-deadline-first).
    """
    in_order = sorted(deadlines)
    if any(deadline < now + place * interval_s for place, (deadline, _) in enumerate(in_order, 1)):
        return in_order[0][1]
    return None
