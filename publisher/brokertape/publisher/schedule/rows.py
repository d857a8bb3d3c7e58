"""How many changes a poll has found, judged by the rows that differ."""

from math import log

ROWS = 20  # of a full list, ten a side


def changes_of(rows: int, changed: bool) -> float:
    """How many row changes made `rows` of a list's rows differ, if every change met a row at random.

    n changes over 20 rows leave 20·exp(-n/20) of them untouched, so n = -20·ln(1 - rows/20). One bit, changed or not,
    would say nothing of a code that changes between any two polls; the rows of a list do. A list of which every row
    differs counts as one with half a row left, else n would have no end.
    """
    hit = min(max(rows, 1 if changed else 0), ROWS - 0.5)
    return -ROWS * log(1 - hit / ROWS)
