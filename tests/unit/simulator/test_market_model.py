"""The market model: the same market for the same seed, and always a possible one."""

import time
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brokertape.gateway.values import MarketState, TradeDateType
from brokertape.simulator.instruments import HANG_SENG_INDEX, KNOWN
from brokertape.simulator.market_model import MarketModel, MarketSettings, Restatement, Suspension
from brokertape.simulator.trading_calendar import TradingCalendar, market_moment

FRIDAY = date(2026, 5, 8)
MONDAY = date(2026, 5, 11)
CALENDAR = TradingCalendar(half_days=frozenset({MONDAY}))
CODES = [instrument.code for instrument in KNOWN[:4]]
SMALL = {"instruments": KNOWN[:4], "trades_per_s": 0.3, "calendar": CALENDAR}


def at(hour: float, day: date = FRIDAY) -> float:
    """An hour of a market day in s since 1970."""
    return market_moment(day, hour * 3600)


def market(begin_s: float = at(9), **changes: object) -> MarketModel:
    """A small market."""
    return MarketModel(MarketSettings(**(SMALL | changes)), begin_s)  # type: ignore[arg-type]


def everything(model: MarketModel) -> list[object]:
    """All that can be seen of a market now."""
    return [(model.state, model.table(code), model.quote(code)) for code in CODES]


@given(st.lists(st.floats(9, 17), max_size=8), st.integers(1, 3))
@settings(max_examples=20)
def test_a_moment_shows_the_same_however_it_was_reached(hours: list[float], seed: int) -> None:
    """In one leap or in many steps, begun at nine or just now."""
    stepped = market(seed=seed)
    for hour in sorted(hours):
        stepped.advance(at(hour))
    end_s = at(max(hours, default=9))
    assert everything(stepped) == everything(market(end_s, seed=seed))


def test_another_seed_is_another_market() -> None:
    """Names, volumes and prices differ."""
    assert everything(market(at(11), seed=1)) != everything(market(at(11), seed=2))


def test_totals_only_rise_within_a_day() -> None:
    """Volume, turnover, time and every listed broker's totals; without a restatement nothing falls."""
    model = market()
    before = {code: model.quote(code) for code in CODES}
    totals: dict[tuple[str, str], tuple[float, float]] = {}
    for minute in range(9 * 60, 16 * 60 + 10, 10):
        model.advance(at(minute / 60))
        for code in CODES:
            now = model.quote(code)
            assert (now.volume, now.turnover, now.updated_s) >= (
                before[code].volume,
                before[code].turnover,
                before[code].updated_s,
            )
            before[code] = now
            for item in model.table(code).brokers:
                total = (item.total_vol or 0.0, item.total_turnover or 0.0)
                assert total >= totals.get((code, item.broker_name), (0.0, 0.0))
                totals[code, item.broker_name] = total
    assert all(before[code].volume > 0 for code in CODES)


def test_what_is_bought_is_sold() -> None:
    """Over all brokers of a code, listed or not, net volumes sum to nothing and totals to twice the volume."""
    model = market(at(15))
    for code in CODES:
        book = model.trading_day(code).book
        brokers = range(len(book.broker_names))
        assert sum(map(book.net_vol, brokers)) == 0
        assert sum(map(book.total_vol, brokers)) == 2 * model.quote(code).volume


def test_books_have_forty_to_a_hundred_and_twenty_brokers_of_different_names() -> None:
    """The busiest code has the most."""
    model = market(instruments=KNOWN)
    counts = [len(set(model.trading_day(instrument.code).book.broker_names)) for instrument in KNOWN]
    assert counts[0] == 120
    assert min(counts) >= 40
    assert counts == sorted(counts, reverse=True)


def test_activity_falls_with_the_place_in_the_list() -> None:
    """The busiest code's table changes about as often as asked for, the fourth one's much less."""
    counts = [_changes(code) for code in CODES]
    assert counts[0] > counts[1] > counts[3]
    assert 0.3 < sum(counts) / 1800 < 1.5


def _changes(code: str) -> int:
    """Changes of a code's table from ten to half past, at one trade a second, looked at every two seconds."""
    model = market(at(10), trades_per_s=1.0)
    seen = 0
    table = model.table(code)
    for second in range(0, 1800, 2):
        model.advance(at(10) + second)
        seen += model.table(code).brokers != table.brokers
        table = model.table(code)
    return seen


def test_data_time_is_the_last_update_and_quotes_agree() -> None:
    """Both stamps are of the same trade, and not later than now."""
    model = market(at(14))
    for code in CODES:
        assert model.table(code).data_time == int(model.quote(code).updated_s)
        assert model.quote(code).updated_s <= at(14)


def test_prices_stay_near_where_the_day_began() -> None:
    """Within a tenth, on whole price steps, the last between the day's low and high."""
    model = market(at(17), trades_per_s=3.0)
    for code in CODES:
        quote = model.quote(code)
        assert quote.low_price <= quote.cur_price <= quote.high_price
        assert quote.low_price > 0.9 * quote.last_close_price
        assert quote.high_price < 1.1 * quote.last_close_price
        assert round(quote.cur_price * 1000) % round(quote.price_spread * 1000) == 0


def test_a_new_day_starts_empty_at_the_pre_open() -> None:
    """Friday's table stands until nine on Monday; then it is gone, stamped with the new day."""
    model = market(at(17))
    last = model.table(CODES[0])
    model.advance(at(8.99, MONDAY))
    assert model.table(CODES[0]) == last
    model.advance(at(9, MONDAY))
    assert model.state is MarketState.AUCTION
    assert model.table(CODES[0]).brokers == ()
    assert model.table(CODES[0]).data_time == at(9, MONDAY)
    assert model.quote(CODES[0]).volume == 0


def test_a_past_day_shows_its_last_table_without_amounts() -> None:
    """Yesterday asked for today is what stood at its end: net volume, name and side."""
    model = market(at(17))
    last = model.table(CODES[0])
    model.advance(at(10, MONDAY))
    past = model.table(CODES[0], days_before=1)
    assert not past.is_real_time
    assert past.data_time == last.data_time
    assert [(item.net_vol, item.broker_name, item.buy_sell_type) for item in past.brokers] == [
        (item.net_vol, item.broker_name, item.buy_sell_type) for item in last.brokers
    ]
    assert {(item.avg_price, item.total_vol, item.total_turnover) for item in past.brokers} == {(None, None, None)}


def test_days_before_the_market_began_are_there_too() -> None:
    """A market begun this morning knows last week, and always the same one."""
    week_ago = market().table(CODES[0], days_before=5)
    assert len(week_ago.brokers) == 20
    assert week_ago == market(at(15)).table(CODES[0], days_before=5)


def test_a_half_day_ends_after_its_morning() -> None:
    """Nothing trades in the afternoon, and the calendar says so."""
    model = market(at(12.2, MONDAY))
    closed = everything(model)
    model.advance(at(16, MONDAY))
    assert everything(model) == closed
    assert model.state is MarketState.CLOSED
    assert [day.type for day in model.trade_dates(FRIDAY, MONDAY)] == [TradeDateType.WHOLE, TradeDateType.MORNING]


def test_nothing_trades_at_lunch() -> None:
    """From noon to one the market stands still."""
    model = market(at(12))
    before = [model.table(code) for code in CODES]
    model.advance(at(13) - 1)
    assert model.state is MarketState.REST
    assert [model.table(code) for code in CODES] == before


def test_a_restatement_lowers_totals_at_its_moment() -> None:
    """One code's volume falls then, no other's, and the past day keeps it."""
    restated = market(at(10), restatements=(Restatement(CODES[0], at(11)),))
    plain = market(at(10))
    assert everything(restated) == everything(plain)
    for model in (restated, plain):
        model.advance(at(11))
    assert restated.quote(CODES[0]).volume < plain.quote(CODES[0]).volume
    assert restated.table(CODES[0]).data_time == at(11)
    assert everything(restated)[1:] == everything(plain)[1:]
    assert _net_vols(restated) != _net_vols(plain)


def _net_vols(model: MarketModel) -> list[int | None]:
    model.advance(at(10, MONDAY))
    return [item.net_vol for item in model.table(CODES[0], days_before=1).brokers]


def test_a_suspended_code_stands_still_and_says_so() -> None:
    """No trade within the suspension; before and after it there are some."""
    model = market(at(11), suspensions=(Suspension(CODES[0], at(11), at(14)),))
    before = model.table(CODES[0])
    model.advance(at(14) - 1)
    assert model.quote(CODES[0]).is_suspended
    assert model.table(CODES[0]) == before
    model.advance(at(16))
    assert not model.quote(CODES[0]).is_suspended
    assert model.table(CODES[0]) != before


def test_a_delisted_code_is_known_and_says_so() -> None:
    """It has a price and a status, and neither volume nor rows; the others trade on."""
    delisted = replace(KNOWN[0], is_delisted=True)
    model = market(at(15), instruments=(delisted, *KNOWN[1:4]))
    quote = model.quote(CODES[0])
    assert (quote.sec_status, quote.is_suspended, quote.volume) == (13, False, 0)
    assert quote.cur_price > 0
    assert model.table(CODES[0]).brokers == model.table(CODES[0], days_before=1).brokers == ()
    assert model.quote(CODES[1]).sec_status == 1
    assert everything(model)[1:] == everything(market(at(15)))[1:]


def test_an_idle_code_and_an_index_have_no_rows() -> None:
    """Nobody trades them, so their tables stay empty."""
    model = market(at(15), instruments=(*KNOWN[:4], HANG_SENG_INDEX), idle_codes=frozenset(CODES[:1]))
    assert model.table(CODES[0]).brokers == ()
    assert model.table(HANG_SENG_INDEX.code).brokers == ()
    assert len(model.table(CODES[1]).brokers) == 20


def test_two_brokers_may_share_a_name_and_one_have_none() -> None:
    """Codes told so have such brokers among their most active."""
    codes = frozenset(CODES[:1])
    model = market(at(15), repeated_name_codes=codes, empty_name_codes=codes)
    names = model.trading_day(CODES[0]).book.broker_names
    assert names[0] == names[1]
    assert names[2] == ""


def test_time_never_runs_back() -> None:
    """A moment already past changes nothing."""
    model = market(at(11))
    before = everything(model)
    model.advance(at(10))
    assert everything(model) == before


def test_brokers_turn_from_one_list_to_the_other() -> None:
    """Within a day of the busiest code some broker is seen as a net buyer and as a net seller."""
    model = market(trades_per_s=3.0)
    sides: dict[str, set[int]] = {}
    for quarter in range(38, 66):
        model.advance(at(quarter / 4))
        for item in model.table(CODES[0]).brokers:
            sides.setdefault(item.broker_name, set()).add(int(item.buy_sell_type or 0))
    assert any(len(seen) == 2 for seen in sides.values())


LAG_S = (5.0, 90.0)


@given(st.lists(st.floats(9, 17), max_size=8), st.integers(1, 3))
@settings(max_examples=20)
def test_a_late_list_shows_the_same_however_its_moment_was_reached(hours: list[float], seed: int) -> None:
    """In one leap or in many steps, with a restatement in between."""
    changes: dict[str, Any] = {
        "seed": seed,
        "list_lag_s": LAG_S,
        "restatements": (Restatement(CODES[0], at(11)),),
    }
    stepped = market(**changes)
    for hour in sorted(hours):
        stepped.advance(at(hour))
    assert everything(stepped) == everything(market(at(max(hours, default=9)), **changes))


@given(st.integers(0, 7 * 3600), st.sampled_from([0.5, 15.0, 600.0]), st.integers(1, 3))
@settings(max_examples=30)
def test_with_one_lag_for_all_the_list_is_that_of_a_lag_ago(after_s: int, lag_s: float, seed: int) -> None:
    """Every trade that is older than the lag, and no other; prices and volumes are those of now."""
    now_s = at(9.5) + after_s
    late, prompt, ago = (
        market(now_s, seed=seed, list_lag_s=(lag_s, lag_s)),
        market(now_s, seed=seed),
        market(now_s - lag_s, seed=seed),
    )
    for code in CODES:
        assert late.table(code).brokers == ago.table(code).brokers
        assert late.quote(code) == prompt.quote(code)


def test_volume_rises_first_and_the_list_follows_within_its_lag() -> None:
    """At the first trade there is volume and no row; a shortest lag later nothing still, a longest lag later both."""
    model = market(at(9.5), list_lag_s=LAG_S)
    now_s = at(9.5)
    while not model.quote(CODES[0]).volume:
        now_s += 1
        model.advance(now_s)
    model.advance(now_s + LAG_S[0] - 1)
    assert model.table(CODES[0]).brokers == ()
    assert model.table(CODES[0]).data_time == at(9)
    model.advance(now_s + LAG_S[1])
    assert model.table(CODES[0]).brokers


def test_what_a_late_list_shows_only_grows_and_never_more_than_was_traded() -> None:
    """Totals of every broker rise, its stamp too, up to those of the book behind it."""
    model = market(list_lag_s=LAG_S)
    trading = model.trading_day(CODES[0])
    brokers = range(len(trading.book.broker_names))
    before, stamp = [0 for _ in brokers], 0
    for minute in range(9 * 60 + 30, 10 * 60 + 30):
        model.advance(at(minute / 60))
        listed = [trading.listed_book.total_vol(broker) for broker in brokers]
        traded = [trading.book.total_vol(broker) for broker in brokers]
        assert all(old <= now <= most for old, now, most in zip(before, listed, traded, strict=True))
        now_stamp = model.table(CODES[0]).data_time or 0
        assert stamp <= now_stamp <= at(minute / 60)
        before, stamp = listed, now_stamp
    assert sum(before) > 0


@pytest.mark.parametrize("restatements", [(), (Restatement(CODES[0], at(11)),)])
def test_a_day_ends_and_is_remembered_with_the_same_list_whatever_its_lag(
    restatements: tuple[Restatement, ...],
) -> None:
    """A lag after its last trade, and as a past day."""
    late, prompt = (market(at(17), list_lag_s=lag_s, restatements=restatements) for lag_s in (LAG_S, (0.0, 0.0)))
    assert [late.table(code).brokers for code in CODES] == [prompt.table(code).brokers for code in CODES]
    last = late.table(CODES[0])
    for model in (late, prompt):
        model.advance(at(10, MONDAY))
    assert late.table(CODES[0], 1).brokers == prompt.table(CODES[0], 1).brokers
    assert late.table(CODES[0], 1).data_time == last.data_time
    assert late.table(CODES[0], 5).brokers == prompt.table(CODES[0], 5).brokers


def test_a_restatement_reaches_a_late_list_after_the_longest_lag() -> None:
    """By then all that it takes back has shown, so that no broker's totals fall below nothing."""
    model = market(at(11) - 1, list_lag_s=LAG_S, restatements=(Restatement(CODES[0], at(11)),))
    trading = model.trading_day(CODES[0])
    brokers = range(len(trading.book.broker_names))
    volume = model.quote(CODES[0]).volume
    model.advance(at(11))
    assert model.quote(CODES[0]).volume < volume
    seen = []
    for second in range(int(LAG_S[1]) + 1):
        model.advance(at(11) + second)
        seen.append([trading.listed_book.total_vol(broker) for broker in brokers])
    falls = [now < old for old, now in zip(map(sum, seen), map(sum, seen[1:]), strict=False)]
    assert falls == [False] * (len(falls) - 1) + [True]
    assert min(seen[-1]) >= 0


@pytest.mark.timeout(60)
def test_a_busy_day_of_thirty_codes_takes_seconds() -> None:
    """Ten trades a second, a whole day, in processor time that tests and demos can afford."""
    began_s = time.process_time()
    market(at(17), instruments=KNOWN, trades_per_s=10.0)
    assert time.process_time() - began_s < 8
