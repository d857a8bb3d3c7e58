"""The list as its holder sees it."""

from brokertape.subscriber.view import BookView
from support.tables import row


def a_view(*, buyers: int, sellers: int, observed_at: int = 1_000, max_age: float | None = 30) -> BookView:
    """A list of so many on each side, looked at when it is 40 s past `observed_at` 1000."""
    rows = [row("buy", rank, f"B{rank}", 1000 - rank) for rank in range(1, buyers + 1)]
    rows += [row("sell", rank, f"S{rank}", rank - 1000) for rank in range(1, sellers + 1)]
    return BookView("HK.00700", 1, 1, "1-0", "2026-05-08", None, observed_at, tuple(rows), max_age, lambda: 41_000)


def test_buyers_and_sellers_by_rank() -> None:
    """As the gateway gave them."""
    view = a_view(buyers=2, sellers=1)
    assert [one.broker_name for one in view.buyers] == ["B1", "B2"]
    assert [one.broker_name for one in view.sellers] == ["S1"]


def test_who_is_not_listed_has_not_traded_to_zero() -> None:
    """A full side bounds what the others can have done; a short one shows all there are."""
    full, short = a_view(buyers=10, sellers=10), a_view(buyers=3, sellers=0)
    assert (full.unseen_low, full.unseen_high) == (-990, 990)
    assert (short.unseen_low, short.unseen_high) == (0, 0)


def test_age_is_told_when_it_is_asked_for() -> None:
    """The view is immutable, time is not."""
    assert (a_view(buyers=1, sellers=1).age, a_view(buyers=1, sellers=1).is_stale) == (40.0, True)
    assert not a_view(buyers=1, sellers=1, observed_at=11_000).is_stale
    assert not a_view(buyers=1, sellers=1, max_age=None).is_stale


def test_a_clock_behind_the_publishers_makes_no_negative_age() -> None:
    """Two machines' clocks differ."""
    assert a_view(buyers=1, sellers=1, observed_at=50_000).age == 0.0
