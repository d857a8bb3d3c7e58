"""Subscriptions, their quota and their pushes."""

from dataclasses import replace

import pytest

from brokertape.gateway.errors import QuotaExhausted, UnsubscribedTooSoon
from brokertape.simulator.fixed_market import FixedMarket
from brokertape.simulator.instruments import KNOWN
from brokertape.simulator.subscriptions import BASIC, Subscriptions
from brokertape.simulator.texts import TEXTS, Language

A, B, C = KNOWN[0].code, KNOWN[1].code, KNOWN[2].code


def subscriptions(quota: int = 10) -> Subscriptions:
    """Empty ones."""
    return Subscriptions(quota, TEXTS[Language.CHINESE])


def market_of_three() -> FixedMarket:
    """A market in which nothing was traded yet."""
    return FixedMarket(KNOWN[:3])


def test_a_unit_counts_once_over_all_connections() -> None:
    """The same code and type on two connections is one unit, another type another."""
    book = subscriptions()
    book.subscribe(1, [(A, BASIC), (B, BASIC)], 0.0)
    book.subscribe(2, [(A, BASIC), (A, 4)], 0.0)
    assert book.used == 3
    assert book.units_of(2) == [(A, BASIC), (A, 4)]


def test_more_than_the_quota_is_refused_as_a_whole() -> None:
    """None of the request's units is taken, and the text says how many are."""
    book = subscriptions(quota=2)
    book.subscribe(1, [(A, BASIC)], 0.0)
    with pytest.raises(QuotaExhausted, match="1/2"):
        book.subscribe(1, [(A, BASIC), (B, BASIC), (C, BASIC)], 0.0)
    assert book.used == 1


def test_a_unit_is_given_back_only_when_a_minute_old() -> None:
    """Too soon is refused as a whole; subscribing again does not make it younger."""
    book = subscriptions()
    book.subscribe(1, [(A, BASIC)], 0.0)
    book.subscribe(1, [(A, BASIC), (B, BASIC)], 30.0)
    with pytest.raises(UnsubscribedTooSoon):
        book.unsubscribe(1, [(A, BASIC), (B, BASIC)], 60.0)
    book.unsubscribe(1, [(A, BASIC)], 60.0)
    assert book.units_of(1) == [(B, BASIC)]


def test_what_was_never_subscribed_can_be_given_back() -> None:
    """It changes nothing."""
    book = subscriptions()
    book.unsubscribe(1, [(A, BASIC)], 0.0)
    assert book.used == 0


def test_a_closed_connections_units_stay_taken_for_a_minute() -> None:
    """Then they are released."""
    book = subscriptions()
    book.subscribe(1, [(A, BASIC)], 0.0)
    book.leave(1)
    book.expire(59.9)
    assert book.used == 1
    book.expire(60.0)
    assert book.used == 0


def test_a_quote_is_due_when_its_volume_moved() -> None:
    """At once, unless the volume is known; then whenever another one shows."""
    book, market = subscriptions(), market_of_three()
    book.subscribe(1, [(A, BASIC), (B, BASIC)], 0.0)
    book.register_push(1, A, None)
    book.register_push(1, B, 0)
    assert [quote.code for quote in book.due_quotes(1, market.quote)] == [A]
    book.note_pushed(1, book.due_quotes(1, market.quote))
    assert book.due_quotes(1, market.quote) == []
    market.show_quote(replace(market.quote(B), volume=100))
    assert [quote.code for quote in book.due_quotes(1, market.quote)] == [B]


def test_who_unsubscribed_is_pushed_nothing() -> None:
    """Nor who unregistered or left."""
    book = subscriptions()
    for conn_id in (1, 2, 3):
        book.subscribe(conn_id, [(A, BASIC)], 0.0)
        book.register_push(conn_id, A, None)
    book.unsubscribe(1, [(A, BASIC)], 60.0)
    book.unregister_push(2, A)
    book.leave(3)
    assert [book.due_quotes(conn_id, market_of_three().quote) for conn_id in (1, 2, 3)] == [[], [], []]
