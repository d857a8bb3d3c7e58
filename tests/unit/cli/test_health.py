"""What is unhealthy."""

from dataclasses import replace
from typing import Any

import pytest

from brokertape.cli.health import CodeSeen, GroupState, Lease, TapeState, troubles
from brokertape.tape.events import StatusData, StatusEvent, StatusScope

NOW = 1_778_227_221_000


def status(scope: StatusScope, name: str, state: str, publisher: str = "p") -> StatusEvent:
    """A status said by a publisher."""
    return StatusEvent(
        source="/opend/x",
        id=f"{publisher}/1/2",
        subject=name,
        time="2026-05-08T08:00:21.467Z",
        data=StatusData(scope=scope, name=name, state=state, reason="because"),
    )


def code(age_s: float | None, promise_s: float | None = None, name: str = "HK.00700") -> CodeSeen:
    """A code seen so long ago."""
    return CodeSeen(name, None if age_s is None else NOW - round(1000 * age_s), 1, promise_s)


WELL = TapeState(
    now=NOW,
    codes=[code(1)],
    leases=[Lease("h:1", "p", 1.0)],
    groups=[GroupState("storage", lag=3, pending=2, behind_ms=59_000)],
    statuses=[status("gateway", "h:1", "connected"), status("market", "HK", "open")],
)


def test_what_can_be_polled_is_that_of_all_accounts() -> None:
    """Publishers of one account share it; one that cannot poll adds nothing."""
    leases = [Lease("a", "p1", 1.0), Lease("a", "p2", 1.0, can_poll=False), Lease("b", "p3", 0.5)]
    assert replace(WELL, leases=leases).polls_per_s == 1.5
    assert replace(WELL, leases=[Lease("a", "p1", 1.0, can_poll=False)]).polls_per_s == 1.0


def test_a_tape_that_is_well_has_no_troubles() -> None:
    """Entries on their way and codes a little old are ordinary."""
    assert troubles(WELL) == []


@pytest.mark.parametrize(
    ("what", "trouble"),
    [
        ({"leases": []}, "no publisher is running"),
        ({"statuses": [status("gateway", "h:1", "lost")]}, "gateway h:1 lost: because"),
        ({"statuses": [status("code", "HK.00700", "suspended")]}, "HK.00700 is suspended"),
        ({"statuses": [status("code", "HK.00700", "refused")]}, "HK.00700 is refused"),
        ({"codes": [code(None)]}, "HK.00700 was never seen"),
        ({"codes": [code(61)]}, "HK.00700 was last seen 61 s ago, 60 are allowed"),
        ({"codes": [code(16, promise_s=10)]}, "HK.00700 was last seen 16 s ago, 15 are allowed"),
        ({"refused": {"US.AAPL": "not Hong Kong"}}, "US.AAPL cannot be watched: not Hong Kong"),
        ({"groups": [GroupState("storage", behind_ms=61_000)]}, "group storage is 61 s behind"),
        ({"groups": [GroupState("g", dead=2)]}, "group g gave up 2 entries: see its dead-letter streams"),
    ],
)
def test_each_trouble_is_told(what: dict[str, Any], trouble: str) -> None:
    """By itself, in a line."""
    assert troubles(replace(WELL, **what)) == [trouble]


def test_a_code_that_only_subscribers_ask_for_is_a_trouble_too_but_when_it_does_not_exist() -> None:
    """Who asks for what cannot be had is told so itself."""
    asked = replace(code(61), is_watched=False, subscribers=1)
    assert len(troubles(replace(WELL, codes=[asked]))) == 1
    assert troubles(replace(WELL, codes=[asked], statuses=[status("code", "HK.00700", "refused")])) == []
    assert len(troubles(replace(WELL, codes=[asked], statuses=[status("code", "HK.00700", "suspended")]))) == 1


def test_a_long_list_takes_longer_to_go_round() -> None:
    """Three rounds of it are allowed."""
    codes = [code(890, name=f"HK.{number:05}") for number in range(300)]
    assert troubles(replace(WELL, codes=codes)) == []
    assert len(troubles(replace(WELL, codes=[*codes[1:], code(910)]))) == 1


@pytest.mark.parametrize("state", ["lunch", "closed"])
def test_age_is_no_trouble_while_the_market_rests(state: str) -> None:
    """Nothing moves."""
    assert troubles(replace(WELL, codes=[code(5000)], statuses=[status("market", "HK", state)])) == []


def test_what_a_dead_publisher_said_of_its_gateway_is_no_news() -> None:
    """Another gateway may have taken over since."""
    old = status("gateway", "h:2", "lost", publisher="gone")
    assert troubles(replace(WELL, statuses=[*WELL.statuses, old])) == []
