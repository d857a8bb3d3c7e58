"""Conditions in CEL."""

import pytest

from brokertape.workers.alerts.cel import MAX_LENGTH, Cel
from brokertape.workers.alerts.errors import ExpressionError
from brokertape.workers.alerts.expression import FieldType, NoAnswer, Values

TYPES = {
    "net_vol": FieldType.INT,
    "flow.turnover": FieldType.DOUBLE,
    "avg_price": FieldType.DOUBLE,
    "kinds": FieldType.STRINGS,
    "side": FieldType.STRING,
    "is_listed": FieldType.BOOL,
}
VALUES: Values = {
    "net_vol": 1000,
    "flow.turnover": 2e6,
    "avg_price": 4.5,
    "kinds": ["flipped", "net"],
    "is_listed": True,
}
SCOPE = Cel().scope(TYPES)
FACTS = SCOPE.bind(VALUES)


@pytest.mark.parametrize(
    "text",
    [
        "net_vol > 500",
        "net_vol > 5e2",
        "500.0 < net_vol",
        "flow.turnover > 1000000",
        "flow.turnover >= 2000000.0",
        "1000000 < flow.turnover && avg_price > 4",
        "avg_price * 2 > (8)",
        "1 + 1 < avg_price",
        "net_vol * 2 > 1.5e3",
        "flow.turnover > -3",
        "avg_price > 4 // and not `net_vol > 4.5`",
        "is_listed &&\n  avg_price\n > 4",
        "'net' in kinds && kinds.exists(kind, kind == 'flipped')",
        "is_listed || side == 'sell'",
        "double(net_vol) / 3.0 > 333.3",
        "flow . turnover > 5 && net_vol>5",
        "side_of == 'x' || '''it's''' != '' && net_vol > 5".replace("side_of == 'x'", "net_vol < 5"),
    ],
)
def test_a_number_is_taken_in_either_form(text: str) -> None:
    """Integers and floating-point numbers are compared as they were meant."""
    assert SCOPE.compile(text).evaluate(FACTS) is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net_vol > 5.5", "`>` stands between int and double: put the integer into double(…), or round the number"),
        ("avg_price > 2 && nope > 1", "there is no field or function `nope` at 'nope > 1'"),
        ("net_vol >", "something is missing at its end"),
        ("side = 'buy'", "`=` is no operator, write `==`"),
        ("side > 5", "`>` does not go with (string, int)"),
        ("net_vol", "gives int, not true or false"),
        ("is_listed)", "at ')'"),
        ("true || " * 300 + "true", f"{MAX_LENGTH} at most"),
    ],
)
def test_what_cannot_be_meant_is_said_in_words(text: str, reason: str) -> None:
    """When it is loaded, not when it is asked."""
    with pytest.raises(ExpressionError) as error:
        SCOPE.compile(text)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("side == 'buy'", "side is absent"),
        ("net_vol / 0 > 1", "divide by zero"),
        ("net_vol * 9223372036854775807 > 0", "integer overflow"),
        ("kinds[7] == 'net'", "Index error: index=7 size=2"),
    ],
)
def test_without_an_answer_there_is_a_reason(text: str, reason: str) -> None:
    """Neither true nor false, and nothing is raised."""
    assert SCOPE.compile(text).evaluate(FACTS) == NoAnswer(reason)


def test_an_expression_names_what_it_reads() -> None:
    """Not what stands in its strings and comments, nor what it binds itself."""
    text = "flow.turnover > 1.0 && kinds.all(net, net != 'side') // avg_price"
    assert SCOPE.compile(text).names == {"flow.turnover", "kinds"}


def test_work_without_end_is_cut_off() -> None:
    """A rule cannot hold up the tape: the engine bounds what one evaluation may do."""
    numbers = str(list(range(100)))
    text = f"{numbers}.all(a, {numbers}.all(b, {numbers}.all(c, a + b + c >= 0)))"
    assert SCOPE.compile(text).evaluate(FACTS) == NoAnswer("Iteration budget exceeded")
