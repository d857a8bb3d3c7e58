"""Volumes: what of a market snapshot is news."""

from dataclasses import replace

from brokertape.gateway.values import SecuritySnapshot
from brokertape.publisher.volumes import Volumes

FIRST = SecuritySnapshot("HK.00700", "Tencent", 100, 400.0, 1_000, 4e5, False, 1, None)


def test_a_volume_that_rose_is_a_trade() -> None:
    """The first one says nothing, and one that is lower is only older."""
    volumes = Volumes()
    said = [bool(volumes.take([replace(FIRST, volume=volume)])) for volume in (5, 5, 7, 6, 7, 9)]
    assert said == [False, False, True, False, False, True]


def test_after_a_rest_a_volume_begins_anew() -> None:
    """Whatever the new day's first one is, it has been traded; 0 is a day without trades so far."""
    volumes = Volumes()
    volumes.take([replace(FIRST, volume=9)])
    volumes.rest()
    said = [bool(volumes.take([replace(FIRST, volume=volume)])) for volume in (9, 0, 0, 3, 2, 4)]
    assert said == [False, False, False, True, False, True]


def test_a_code_that_left_begins_anew() -> None:
    """Whatever it had traded by then."""
    volumes = Volumes()
    volumes.take([FIRST])
    volumes.keep(["HK.00005"])
    assert volumes.take([replace(FIRST, volume=9)]) == []
