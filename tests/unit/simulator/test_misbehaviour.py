"""What the gateway is told to do wrong."""

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.simulator.misbehaviour import Fate, Misbehaviour

TOP_TEN, KEEP_ALIVE = 3247, 1004
CODE = "HK.00700"


def table(*names: str) -> TopTenBrokers:
    """A table of these brokers."""
    items = (BrokerItem(name, BuySellType.NET_BUY, 100, 1.0, 100.0, 100.0) for name in names)
    return TopTenBrokers(CODE, is_real_time=True, data_time=1, brokers=tuple(items))


def test_nothing_is_wrong_unless_told() -> None:
    """No delay, every reply sent, every table as it is."""
    misbehaviour = Misbehaviour()
    assert misbehaviour.delay_s() == 0.0
    assert misbehaviour.next_fate(TOP_TEN) is Fate.SENT
    assert misbehaviour.distorted(table("A")) == table("A")
    assert misbehaviour.failure_of(CODE, 5.0) is None
    assert not misbehaviour.refuses_login(5.0)


def test_a_code_fails_within_its_window_only() -> None:
    """From the first moment to before the last, and never another code."""
    misbehaviour = Misbehaviour()
    misbehaviour.fail_code(CODE, "NN_ProtoRet_TimeOut", from_s=10.0, until_s=20.0)
    assert [misbehaviour.failure_of(CODE, at_s) for at_s in (9.9, 10.0, 19.9, 20.0)] == [
        None,
        "NN_ProtoRet_TimeOut",
        "NN_ProtoRet_TimeOut",
        None,
    ]
    assert misbehaviour.failure_of("HK.00005", 15.0) is None
    misbehaviour.heal_code(CODE)
    assert misbehaviour.failure_of(CODE, 15.0) is None


def test_logins_are_refused_until_told() -> None:
    """For a while, for ever, and no more."""
    misbehaviour = Misbehaviour()
    misbehaviour.refuse_logins(until_s=10.0)
    assert misbehaviour.refuses_login(9.9)
    assert not misbehaviour.refuses_login(10.0)
    misbehaviour.refuse_logins()
    assert misbehaviour.refuses_login(1e9)


def test_ordered_fates_befall_the_next_quote_replies_only() -> None:
    """KeepAlive is spared and uses none up."""
    misbehaviour = Misbehaviour()
    misbehaviour.drop_replies(2)
    misbehaviour.cut_replies()
    assert misbehaviour.next_fate(KEEP_ALIVE) is Fate.SENT
    fates = [misbehaviour.next_fate(TOP_TEN) for _ in range(4)]
    assert fates == [Fate.DROPPED, Fate.DROPPED, Fate.CUT, Fate.SENT]


def test_fates_follow_their_probabilities() -> None:
    """Of a thousand replies about a tenth is lost and about a fifth cut."""
    misbehaviour = Misbehaviour(drop_reply_probability=0.1, cut_reply_probability=0.2)
    fates = [misbehaviour.next_fate(TOP_TEN) for _ in range(1000)]
    assert 60 < fates.count(Fate.DROPPED) < 140
    assert 150 < fates.count(Fate.CUT) < 250


def test_delays_are_latency_and_jitter_and_sometimes_a_stall() -> None:
    """Never less than the latency; a stall comes on top, about as often as told."""
    misbehaviour = Misbehaviour(latency_ms=20, jitter_ms=10, stall_probability=0.1, stall_ms=1000)
    delays = [misbehaviour.delay_s() for _ in range(1000)]
    usual = [delay for delay in delays if delay < 1]
    assert all(0.02 <= delay <= 0.03 for delay in usual)
    assert max(usual) - min(usual) > 0.005
    assert 60 < 1000 - len(usual) < 140


def test_tables_may_be_shown_empty_or_under_other_names() -> None:
    """Two brokers share a name, one has none; the numbers stay."""
    misbehaviour = Misbehaviour()
    misbehaviour.show_as(CODE, {"B": "A", "C": ""})
    assert misbehaviour.distorted(table("A", "B", "C", "D")) == table("A", "A", "", "D")
    misbehaviour.empty_codes.add(CODE)
    assert misbehaviour.distorted(table("A", "B")) == table()
