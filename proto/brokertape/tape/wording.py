"""Names, volumes and moments as people read them."""

from datetime import datetime

from brokertape.tape.market_time import HKT


def plain(text: str) -> str:
    """`text` without control characters: names come from outside and must not steer a terminal."""
    return "".join(character if character.isprintable() else "�" for character in text)


def clock_time(epoch_ms: int) -> str:
    """A moment as the market's clock shows it."""
    return datetime.fromtimestamp(epoch_ms / 1000, HKT).strftime("%H:%M:%S")


def shares(volume: int | None) -> str:
    """A volume with its sign and thousands; a dash for one that is not known."""
    return "–" if volume is None else f"{volume:+,}"
