"""The record of what was sent."""

import json
from pathlib import Path

from brokertape.gateway.values import BrokerItem, BuySellType, TopTenBrokers
from brokertape.simulator.given_answer import AnswerLog, GivenAnswer
from brokertape.simulator.rules import TopTenReply

ROW = BrokerItem("花旗", BuySellType.NET_SELL, -360300, 471.037340153, 586500.0, 276263400.0)
TABLE = TopTenBrokers("HK.00700", is_real_time=True, data_time=1778227221, brokers=(ROW,))


def given(reply: TopTenReply) -> GivenAnswer:
    """An answer with this reply."""
    return GivenAnswer(1000, 1025, "7", "HK.00700", 0, reply)


def test_a_line_holds_the_exact_rows_sent() -> None:
    """Every number comes back as it was, to the last digit."""
    line = json.loads(given(TopTenReply(0, "", TABLE)).as_json())
    assert line == {
        "received_ms": 1000,
        "sent_ms": 1025,
        "connection": "7",
        "code": "HK.00700",
        "days_before": 0,
        "ret_type": 0,
        "ret_msg": "",
        "data_time": 1778227221,
        "brokers": [
            {
                "net_vol": -360300,
                "broker_name": "花旗",
                "buy_sell_type": 2,
                "avg_price": 471.037340153,
                "total_vol": 586500.0,
                "total_turnover": 276263400.0,
            }
        ],
    }


def test_refusals_are_logged_too_and_a_log_is_appended_to(tmp_path: Path) -> None:
    """A line is there as soon as it is written, and a second run keeps the first one's."""
    path = tmp_path / "answers.jsonl"
    for text in ("first", "second"):
        log = AnswerLog(path)
        log.write(given(TopTenReply(-1, text, None)))
        assert text in path.read_text().splitlines()[-1]
        log.close()
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["ret_type"], line["ret_msg"], line["brokers"]) for line in lines] == [
        (-1, "first", []),
        (-1, "second", []),
    ]
