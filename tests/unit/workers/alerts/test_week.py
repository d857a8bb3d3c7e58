"""The sample rules over a simulated week: corrections, rollovers, a restart, two brokers of one name."""

from functools import cache

import pytest

from brokertape.tape.events import TapeEvent
from brokertape.workers.alerts.alert import Alert
from brokertape.workers.alerts.samples import sample_rules
from support.alerting import Judged
from support.simulated_week import CODES, simulated_week

pytestmark = pytest.mark.one_python  # a week in virtual time

ACROSS_CODES = {"sells-the-basket", "not-seen"}


@cache
def week() -> tuple[TapeEvent, ...]:
    """All codes, in the order in which it happened."""
    return tuple(simulated_week().events)


@cache
def alerts() -> tuple[Alert, ...]:
    """What fires in it."""
    return tuple(Judged(sample_rules()).take(*week()))


def test_every_alert_has_an_id_of_its_own() -> None:
    """And there are some, of several rules."""
    ids = [alert.id for alert in alerts()]
    assert len(set(ids)) == len(ids) > 0
    assert len({alert.rule for alert in alerts()}) > 3


def test_what_is_judged_again_is_found_again() -> None:
    """With the same ids and the same words."""
    assert tuple(Judged(sample_rules()).take(*week())) == alerts()


def test_a_code_is_judged_the_same_whatever_else_is_on_the_tape() -> None:
    """So that a worker that has some of the codes finds what one that has all of them would."""
    for code in CODES:
        alone = Judged(sample_rules()).take(*(event for event in week() if event.data.code == code))
        assert [one for one in alone if one.rule not in ACROSS_CODES] == [
            one for one in alerts() if one.code == code and one.rule not in ACROSS_CODES
        ]


def test_an_alert_lies_in_the_interval_of_its_event() -> None:
    """It is no later than what was seen, and says so in market time."""
    events = {event.id: event for event in week()}
    for alert in alerts():
        if alert.rule != "not-seen":
            data = events[alert.event_id].data
            assert (alert.since, alert.at, alert.trading_date) == (data.since, data.observed_at, data.trading_date)
            assert f"[{alert.rule}]" in alert.message
            assert alert.message.isprintable()
