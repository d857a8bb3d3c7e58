"""Where reading a stream begins, for whoever has no position of its own yet."""

from enum import StrEnum

FIRST_ID = "0-0"  # before every entry there can be


class Start(StrEnum):
    """Where a reader without a saved position begins: with all that is still there, or with what comes now."""

    EARLIEST = "earliest"
    NEW = "new"

    @property
    def after_id(self) -> str:
        """The entry id to read after, as Redis takes it."""
        return "$" if self is Start.NEW else FIRST_ID


def id_order(entry_id: str) -> tuple[int, int]:
    """The sort key of an entry id (`<ms>-<seq>`): as text, 10-0 would come before 9-0.

    Raises:
        ValueError: It is no entry id.
    """
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)
