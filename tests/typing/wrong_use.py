"""Mistakes that a type checker has to find in a user's code; each line says which error it is."""

from brokertape.tape import Event, Keys, Row


def is_buyer(row: Row) -> bool:
    """The number may be None."""
    return row.net_vol > 0  # expect: operator


def show(row: Row) -> None:
    """The field has another name."""
    print(row.net_volume)  # expect: attr-defined


def flow_count(event: Event) -> int:
    """Not every event has changes."""
    return len(event.data.changes)  # expect: union-attr


KEYS = Keys(partitions="16")  # expect: arg-type
