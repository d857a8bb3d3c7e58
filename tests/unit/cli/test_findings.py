"""What answers of a gateway tell."""

from collections.abc import Sequence

import pytest

from brokertape.cli import findings
from brokertape.cli.findings import Answer
from brokertape.gateway.errors import GatewayError, OverBudget, Refused, UnknownCode
from brokertape.gateway.values import BrokerItem, BuySellType, MarketState, TopTenBrokers


def table(net_vol: int, data_time: int | None = 1000, names: Sequence[str] = ("UBS",)) -> TopTenBrokers:
    """A table with a broker of each name."""
    items = tuple(BrokerItem(name, BuySellType.NET_BUY, net_vol, None, None, None) for name in names)
    return TopTenBrokers("HK.00700", True, data_time, items)


def answers(*outcomes: TopTenBrokers | GatewayError) -> list[Answer]:
    """One a second, from 1100 s on."""
    return [Answer(number, "HK.00700", 1100.0 + number, 1100.0 + number, one) for number, one in enumerate(outcomes)]


def test_cadence_tells_how_rows_and_stamp_move() -> None:
    """Together, or one of them alone."""
    found = findings.cadence(answers(table(1), table(2), table(2, 1001), table(3, 1002), table(3, 1002))).found
    assert "5 answers in 4 s: rows moved 2 times, typically every 2.0 s, at least 2.0 s apart" in found
    assert "dataTime moved alone 1 times, rows alone 1 times" in found
    assert "dataTime lay 101 s before" in found


@pytest.mark.parametrize(
    ("tables", "advice"),
    [
        ([table(1)], "measure longer"),
        ([table(1), table(1)], "measure a busier code"),
        ([table(1), table(2)], "dataTime does not tell a change"),
        ([table(1), table(2, 1001)], "dataTime is the time of the last change"),
        ([table(1), table(2, 1001), table(2, 1002)], "more than the time of the last change"),
    ],
)
def test_cadence_says_what_follows(tables: list[TopTenBrokers], advice: str) -> None:
    """From too little, nothing does."""
    assert advice in findings.cadence(answers(*tables)).advice


@pytest.mark.parametrize(
    ("refused_later", "failed", "text"),
    [
        (0, False, "refused requests do not count, failed ones do not count"),
        (3, True, "refused requests count, failed ones count"),
        (None, True, "not asked"),
    ],
)
def test_which_calls_count(refused_later: int | None, failed: bool, text: str) -> None:
    """What was not met is not known."""
    assert findings.calls_that_count(refused_later, failed).found == text


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (None, "not asked"),
        (OverBudget(-1, "too often"), "per account"),
        (UnknownCode(-1, "no"), "no (retType -1)"),
        (table(1), "per gateway"),
    ],
)
def test_whose_the_budget_is(outcome: TopTenBrokers | GatewayError | None, text: str) -> None:
    """A second gateway that refuses as well shares it."""
    assert text in findings.shared_budget("h:2", outcome).found


def test_texts_are_told_with_how_they_are_read() -> None:
    """Those that nobody understands are to be reported."""
    finding = findings.refusal_texts(answers(OverBudget(-1, "often"), Refused(-1, "odd"), table(1)))
    assert "often (retType -1) is read as OverBudget" in finding.found
    assert finding.advice.endswith("odd (retType -1)")
    assert findings.refusal_texts(answers(table(1))).found == "nothing was refused"


def test_names_that_repeat_or_lack_are_counted() -> None:
    """Once per code, however many tables show them."""
    tables = [table(1, names=("UBS", "UBS", "")), table(2, names=("UBS", "UBS", ""))]
    found = findings.names(answers(*tables)).found
    assert found.startswith("in 2 tables: 1 names stand twice, 1 codes have one without a name")


def test_a_table_that_moves_at_rest_is_told() -> None:
    """The heartbeat should be quicker then."""
    moving = answers(table(1), table(2))
    assert "heartbeat" in findings.in_state(moving, MarketState.CLOSED).advice
    assert "heartbeat" not in findings.in_state(moving, MarketState.MORNING).advice
    assert "0 rows" in findings.in_state([], MarketState.REST).found


@pytest.mark.parametrize(
    ("order", "text"),
    [([], "not asked"), ([4, 5, 6], "in the order sent"), ([5, 4, 6], "1 overtook another")],
)
def test_the_order_of_replies(order: list[int], text: str) -> None:
    """By the numbers of the requests."""
    assert text in findings.reply_order(order).found
