"""What brokers bought and sold, and the table that shows of it."""

from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.values import BrokerItem, BuySellType
from brokertape.simulator.broker_book import BrokerBook

LOT = 100
BROKERS = 30

# buyer, distance to the seller, lots, price in thousandths
trades = st.lists(
    st.tuples(st.integers(0, BROKERS - 1), st.integers(1, BROKERS - 1), st.integers(1, 50), st.integers(1, 500_000)),
    max_size=150,
)


def traded(trades: list[tuple[int, int, int, int]]) -> BrokerBook:
    """A book after some trades."""
    book = BrokerBook([f"Broker {n}" for n in range(BROKERS)], LOT)
    for buyer, distance, lots, price_mills in trades:
        book.trade(buyer, (buyer + distance) % BROKERS, lots, price_mills)
    return book


def check_table(table: tuple[BrokerItem, ...]) -> None:
    """What holds of every table: order, length, signs and the sums within each row."""
    nets = [item.net_vol or 0 for item in table]
    buyers, sellers = [net for net in nets if net > 0], [net for net in nets if net < 0]
    assert nets == buyers + sellers
    assert buyers == sorted(buyers, reverse=True)
    assert sellers == sorted(sellers)
    assert max(len(buyers), len(sellers), 10) == 10
    for item in table:
        assert item.buy_sell_type is (BuySellType.NET_BUY if (item.net_vol or 0) > 0 else BuySellType.NET_SELL)
        check_row(item)


def check_row(item: BrokerItem) -> None:
    """Volumes are whole lots, the average is the turnover by the volume to nine decimals."""
    assert item.net_vol is not None
    assert item.total_vol is not None
    assert item.total_turnover is not None
    assert item.avg_price == round(item.total_turnover / item.total_vol, 9)
    assert abs(item.net_vol) <= item.total_vol
    assert (item.total_vol + item.net_vol) % (2 * LOT) == 0
    assert (item.total_vol - item.net_vol) % (2 * LOT) == 0


@given(trades)
def test_what_one_broker_buys_another_sells(trades: list[tuple[int, int, int, int]]) -> None:
    """Net volumes sum to nothing, totals to twice the day's volume."""
    book = traded(trades)
    assert sum(map(book.net_vol, range(BROKERS))) == 0
    assert sum(map(book.total_vol, range(BROKERS))) == 2 * book.volume
    assert book.turnover_mills == sum(lots * LOT * price for _, _, lots, price in trades)


@given(trades)
def test_the_table_is_sorted_and_cut_at_ten(trades: list[tuple[int, int, int, int]]) -> None:
    """Buyers largest first, then sellers largest first; nobody larger is left out, nobody even is listed."""
    book = traded(trades)
    table = book.top_ten()
    check_table(table)
    nets = sorted((book.net_vol(broker) for broker in range(BROKERS)), reverse=True)
    assert [item.net_vol for item in table if (item.net_vol or 0) > 0] == [net for net in nets[:10] if net > 0]
    assert [item.net_vol for item in table if (item.net_vol or 0) < 0] == [net for net in nets[:-11:-1] if net < 0]


@given(trades)
def test_a_restatement_takes_back_and_keeps_every_sum(trades: list[tuple[int, int, int, int]]) -> None:
    """Totals of a listed broker fall, the book stays consistent, and without trades there is nothing to take."""
    book = traded(trades)
    totals = [book.total_vol(broker) for broker in range(BROKERS)]
    is_restated = book.restate()
    fallen = [broker for broker in range(BROKERS) if book.total_vol(broker) < totals[broker]]
    assert len(fallen) == (2 if is_restated else 0)
    assert sum(map(book.net_vol, range(BROKERS))) == 0
    assert sum(map(book.total_vol, range(BROKERS))) == 2 * book.volume
    check_table(book.top_ten())


def test_an_untouched_book_shows_an_empty_table() -> None:
    """No trades, no rows, nothing to restate."""
    book = traded([])
    assert book.top_ten() == ()
    assert not book.restate()


def test_numbers_of_a_row_are_those_of_its_trades() -> None:
    """A broker that bought 300 at 466.2 and sold 100 at 466.6."""
    book = traded([(0, 1, 3, 466_200), (2, BROKERS - 2, 1, 466_600)])
    assert book.top_ten()[0] == BrokerItem(
        broker_name="Broker 0",
        buy_sell_type=BuySellType.NET_BUY,
        net_vol=200,
        avg_price=466.3,
        total_vol=400.0,
        total_turnover=186_520.0,
    )


def test_a_list_that_was_asked_for_does_not_stay() -> None:
    """The next trade shows, and so does a restatement."""
    book = traded([(0, 1, 4, 466_200)])
    before = book.top_ten()
    assert book.top_ten() == before
    book.trade(2, 1, 1, 466_200)
    traded_on = book.top_ten()
    assert [item.broker_name for item in traded_on] == ["Broker 0", "Broker 2", "Broker 1"]
    assert book.restate()
    assert book.top_ten() != traded_on != before
