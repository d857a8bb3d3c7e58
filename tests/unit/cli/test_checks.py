"""What doctor says of what it finds."""

import pytest

from brokertape.cli.check import Check, Verdict, any_failed
from brokertape.cli.gateway_checks import login_check, opening_check
from brokertape.cli.redis_checks import clock_check, durability_check, eviction_check, version_check
from brokertape.gateway.errors import ConnectFailed, GatewayError, InitRefused, LinkLost, RequestTimeout
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway.values import GlobalState, MarketState


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        *(("7.0.15", Verdict.OK), ("7.2.4", Verdict.OK), ("10.1", Verdict.OK)),
        *(("6.2.14", Verdict.FAILED), ("", Verdict.FAILED)),
    ],
)
def test_redis_has_to_be_new_enough(version: str, verdict: Verdict) -> None:
    """By number, not by text."""
    assert version_check("Redis", {"redis_version": version}).verdict is verdict


def test_valkey_is_told_by_its_own_version() -> None:
    """It calls itself a Redis, too."""
    assert "Valkey 9.1.2" in version_check("Redis", {"redis_version": "7.2.4", "valkey_version": "9.1.2"}).found


@pytest.mark.parametrize(("policy", "verdict"), [("noeviction", Verdict.OK), ("allkeys-lru", Verdict.FAILED)])
def test_nothing_may_be_evicted(policy: str, verdict: Verdict) -> None:
    """It would be silent loss."""
    assert eviction_check("Redis", {"maxmemory_policy": policy}).verdict is verdict


@pytest.mark.parametrize(("aof", "verdict"), [(1, Verdict.OK), (0, Verdict.FAILED)])
def test_what_is_acknowledged_has_to_be_kept(aof: int, verdict: Verdict) -> None:
    """Through a crash of the server."""
    assert durability_check("Redis", {"aof_enabled": aof}).verdict is verdict


@pytest.mark.parametrize(
    ("difference_ms", "verdict"), [(0, Verdict.OK), (-999, Verdict.OK), (5000, Verdict.FAILED), (-5000, Verdict.FAILED)]
)
def test_clocks_have_to_agree(difference_ms: int, verdict: Verdict) -> None:
    """To a second, either way."""
    assert clock_check("Redis clock", difference_ms).verdict is verdict


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (None, ""),
        (ConnectFailed("x"), "start OpenD"),
        (LinkLost("x"), "rsa_key_file"),
        (RequestTimeout("x"), "check the port"),
        (InitRefused("x"), "the gateway's own window"),
    ],
)
def test_a_gateway_that_does_not_open_is_told_why(fault: GatewayError | None, advice: str) -> None:
    """Each way of not opening has its own advice."""
    check = opening_check(GatewaySettings(), fault)
    assert (check.verdict is Verdict.OK) == (fault is None)
    assert advice in check.advice


@pytest.mark.parametrize(("logged_in", "verdict"), [(True, Verdict.OK), (False, Verdict.FAILED)])
def test_the_gateway_has_to_be_logged_in(logged_in: bool, verdict: Verdict) -> None:
    """A session alone answers no quote request."""
    state = GlobalState(MarketState.MORNING, logged_in, None, "", 1011, 0)
    assert login_check(state).verdict is verdict


def test_only_what_failed_is_wrong() -> None:
    """Notes and what was skipped are no failures."""
    checks = [Check("a", verdict, "b") for verdict in Verdict if verdict is not Verdict.FAILED]
    assert not any_failed(checks)
    assert any_failed([*checks, Check("a", Verdict.FAILED, "b")])


def test_a_check_is_one_line() -> None:
    """Verdict, name, what was found, what to do; without control characters from outside."""
    line = Check("gateway", Verdict.FAILED, "said\x1b[2J no", "do this").line().plain
    assert line == "FAILED  gateway                said�[2J no → do this"
