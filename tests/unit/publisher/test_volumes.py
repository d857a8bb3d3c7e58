"""Volumes: what of a market snapshot is news."""

from dataclasses import replace

from brokertape.gateway.values import DELISTED, SecuritySnapshot
from brokertape.publisher.volumes import News, Volumes

FIRST = SecuritySnapshot("HK.00700", "Tencent", 100, 400.0, 1_000, 4e5, False, 1, None)


def test_a_volume_that_rose_is_a_trade() -> None:
    """The first one says nothing, and one that is lower is only older."""
    volumes = Volumes()
    said = [bool(volumes.take([replace(FIRST, volume=volume)]).traded) for volume in (5, 5, 7, 6, 7, 9)]
    assert said == [False, False, True, False, False, True]


def test_after_a_rest_a_volume_begins_anew() -> None:
    """Whatever the new day's first one is, it has been traded; 0 is a day without trades so far."""
    volumes = Volumes()
    volumes.take([replace(FIRST, volume=9)])
    volumes.rest()
    said = [bool(volumes.take([replace(FIRST, volume=volume)]).traded) for volume in (9, 0, 0, 3, 2, 4)]
    assert said == [False, False, False, True, False, True]


def test_a_halt_is_said_once_and_so_is_its_end() -> None:
    """Suspended or delisted, whichever comes first."""
    volumes = Volumes()
    suspended, delisted = replace(FIRST, is_suspended=True), replace(FIRST, sec_status=DELISTED)
    news = [volumes.take([one]) for one in (suspended, delisted, suspended, FIRST, FIRST)]
    assert news == [News(halted=["HK.00700"]), News(), News(), News(resumed=["HK.00700"]), News()]


def test_a_code_that_left_begins_anew() -> None:
    """Whatever it had traded by then."""
    volumes = Volumes()
    volumes.take([replace(FIRST, is_suspended=True)])
    volumes.keep(["HK.00005"])
    assert volumes.take([replace(FIRST, volume=9)]) == News()
