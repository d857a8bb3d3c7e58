"""The list that follows its trades late."""

from math import inf
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from brokertape.simulator.broker_book import BrokerBook, Trade
from brokertape.simulator.late_list import LateList

BROKERS = [f"Broker {n}" for n in range(12)]
SEED = "1/HK.00700/2026-05-08/lag"
BEGIN_S = 1_778_200_000.0

gaps = st.floats(0, 20)
trades = st.builds(Trade, st.integers(0, 5), st.integers(6, 11), st.integers(1, 50), st.integers(1, 500_000))
days = st.lists(st.tuples(gaps, trades), max_size=60)
lags = st.tuples(st.floats(0, 30), st.floats(0, 30)).map(lambda pair: (min(pair), max(pair)))


def moments(day: list[tuple[float, Trade]]) -> list[tuple[float, Trade]]:
    """Trades with their moments, from the gaps between them."""
    now_s, timed = BEGIN_S, []
    for gap_s, trade in day:
        now_s += gap_s
        timed.append((now_s, trade))
    return timed


def late_list(lag_s: tuple[float, float]) -> LateList:
    """A list that shows nothing yet."""
    return LateList(BrokerBook(BROKERS, 100), lag_s, SEED, BEGIN_S)


def book_of(trades: list[Trade]) -> BrokerBook:
    """What these trades make together."""
    book = BrokerBook(BROKERS, 100)
    for trade in trades:
        book.trade(*trade)
    return book


@given(days, lags, st.floats(0, 300))
def test_it_shows_the_trades_that_are_older_than_their_lag(
    day: list[tuple[float, Trade]], lag_s: tuple[float, float], after_s: float
) -> None:
    """Each one's lag is the next random number, uniform between the two; the stamp is of the last that showed."""
    late, random = late_list(lag_s), Random(SEED)
    shown: list[tuple[float, Trade]] = []
    for at_s, trade in moments(day):
        late.follow(trade, at_s)
        due_s = at_s + random.uniform(*lag_s)
        if due_s <= BEGIN_S + after_s:
            shown.append((due_s, trade))
    late.advance(BEGIN_S + after_s)
    assert late.book.top_ten() == book_of([trade for _, trade in shown]).top_ten()
    assert late.updated_s == max((due_s for due_s, _ in shown), default=BEGIN_S)


@given(days, lags, st.lists(st.floats(0, 300)))
def test_it_is_the_same_in_steps_and_at_once(
    day: list[tuple[float, Trade]], lag_s: tuple[float, float], steps: list[float]
) -> None:
    """Told of every trade when it happens, or of all of them before."""
    stepped, at_once = late_list(lag_s), late_list(lag_s)
    timed = moments(day)
    for at_s, trade in timed:
        at_once.follow(trade, at_s)
    for to_s in sorted(BEGIN_S + step for step in (*steps, 400)):
        while timed and timed[0][0] <= to_s:
            at_s, trade = timed.pop(0)
            stepped.follow(trade, at_s)
        stepped.advance(to_s)
    if not timed:
        at_once.advance(BEGIN_S + 400)
        assert (stepped.book.top_ten(), stepped.updated_s) == (at_once.book.top_ten(), at_once.updated_s)


@given(days, lags, st.integers(0, 60))
def test_what_is_taken_back_has_shown_before(
    day: list[tuple[float, Trade]], lag_s: tuple[float, float], after: int
) -> None:
    """Half of a trade goes after the longest lag; no broker's total is ever below nothing on the way."""
    late = late_list(lag_s)
    timed = moments(day)
    for n, (at_s, trade) in enumerate(timed):
        late.follow(trade, at_s)
        if n == after:
            late.take_back(trade._replace(lots=-trade.lots), at_s)
    for step in range(0, 1400, 7):
        late.advance(BEGIN_S + step)
        assert all(late.book.total_vol(broker) >= 0 for broker in range(len(BROKERS)))
    late.advance(inf)
    left = [trade for n, (_, trade) in enumerate(timed) if n != after]
    assert [late.book.net_vol(n) for n in range(12)] == [book_of(left).net_vol(n) for n in range(12)]


def test_trades_may_overtake_each_other() -> None:
    """The earlier one's lag may be the longer."""
    late, random = late_list((0.0, 30.0)), Random(SEED)
    lags_s = [random.uniform(0.0, 30.0) for _ in range(20)]
    assert lags_s != sorted(lags_s)
    for n in range(20):
        late.follow(Trade(n % 6, 6 + n % 6, 1, 1000), BEGIN_S)
    late.advance(BEGIN_S + sorted(lags_s)[9])
    assert late.book.volume == 10 * 100
