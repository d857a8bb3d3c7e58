"""Requests, checked before they are spent."""

import pytest

from brokertape.gateway import requests
from brokertape.gateway.errors import InvalidCode, InvalidRequest


def test_a_table_now_names_no_day() -> None:
    """Real time is the absence of `daysBefore`."""
    c2s = requests.top_ten_brokers("HK.00700", 0).c2s
    assert c2s.security.code == "00700"
    assert not c2s.HasField("days_before")


def test_a_past_table_names_its_day() -> None:
    """The n-th previous trading day."""
    assert requests.top_ten_brokers("HK.00700", 3).c2s.days_before == 3


@pytest.mark.parametrize("days_before", [-1, requests.MAX_DAYS_BEFORE + 1])
def test_a_day_that_cannot_be_is_not_asked_for(days_before: int) -> None:
    """No unit of the budget goes to it."""
    with pytest.raises(InvalidRequest, match="days before"):
        requests.top_ten_brokers("HK.00700", days_before)


@pytest.mark.parametrize("build", [requests.static_info, requests.market_snapshot])
def test_codes_of_one_request_are_bounded(build: type) -> None:
    """400 are taken, none or 401 are not, and every one has to be a code."""
    assert len(build(["HK.00700"] * 400).c2s.security_list) == 400
    with pytest.raises(InvalidRequest, match="401 codes"):
        build(["HK.00700"] * 401)
    with pytest.raises(InvalidRequest, match="0 codes"):
        build([])
    with pytest.raises(InvalidCode):
        build(["HK.00700", "AAPL"])


def test_trade_dates_are_asked_for_hong_kong() -> None:
    """Both days as written."""
    c2s = requests.trade_dates("2026-05-04", "2026-05-08").c2s
    assert (c2s.market, c2s.begin_time, c2s.end_time) == (1, "2026-05-04", "2026-05-08")


@pytest.mark.parametrize(
    ("begin", "end"),
    [("20260504", "2026-05-08"), ("2026-W19-5", "2026-05-08"), ("2026-05-04", "2026-02-30"), ("", "2026-05-08")],
)
def test_a_day_is_written_in_one_way(begin: str, end: str) -> None:
    """The gateway knows no other."""
    with pytest.raises(InvalidRequest, match="is no day"):
        requests.trade_dates(begin, end)


def test_days_come_in_order() -> None:
    """An empty stretch is a mistake, not a question."""
    with pytest.raises(InvalidRequest, match="is after"):
        requests.trade_dates("2026-05-08", "2026-05-04")


def test_subscribing_asks_for_the_push_of_basic_quotes() -> None:
    """Type 1, registered for pushes on this connection, the first at once."""
    c2s = requests.subscribe_quotes(["HK.00700"]).c2s
    assert list(c2s.sub_type_list) == [1]
    assert (c2s.is_sub_or_un_sub, c2s.is_reg_or_un_reg_push, c2s.is_first_push) == (True, True, True)


def test_unsubscribing_gives_both_back() -> None:
    """The subscription, which costs quota, and the push."""
    c2s = requests.unsubscribe_quotes(["HK.00700"]).c2s
    assert (c2s.is_sub_or_un_sub, c2s.is_reg_or_un_reg_push) == (False, False)
