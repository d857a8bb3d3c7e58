"""What is sent for a batch, within a limit."""

from hypothesis import given
from hypothesis import strategies as st

from brokertape.workers.alerts.event import AlertEvent, DigestEvent, Told
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.alerts.sinks.pacing import MINUTE_S, Pace, messages
from support.telling import NOON_MS, an_alert

LATE_AFTER_MS = 60_000


def planned(batch: list[Told], room: int, now_ms: int = NOON_MS) -> list[Message]:
    """At noon."""
    return messages(batch, now_ms, LATE_AFTER_MS, room, "alerts")


def ids_within(message: Message) -> list[str]:
    """Of the alerts that a message tells."""
    told = message.told
    return [told.id] if isinstance(told, AlertEvent) else [alert.id for alert in told.data.alerts]


@given(
    st.lists(st.booleans(), min_size=1, max_size=40),
    st.integers(1, 45),
)
def test_every_alert_is_in_one_message_and_the_room_is_kept(are_late: list[bool], room: int) -> None:
    """Whatever is late, whatever room there is."""
    batch: list[Told] = [an_alert(n, NOON_MS - is_late * 3_600_000) for n, is_late in enumerate(are_late)]
    sent = planned(batch, room)
    assert 1 <= len(sent) <= room
    assert sorted(one for message in sent for one in ids_within(message)) == sorted(told.id for told in batch)
    assert sorted(one for message in sent for one in message.covers) == sorted(told.id for told in batch)


def test_fresh_alerts_go_one_by_one() -> None:
    """In their order, as they are."""
    batch: list[Told] = [an_alert(number) for number in range(3)]
    assert [(message.told, message.is_late) for message in planned(batch, 3)] == [(told, False) for told in batch]


def test_old_ones_go_first_and_together() -> None:
    """Marked; what is fresh is not held up by them."""
    batch: list[Told] = [an_alert(1, NOON_MS - 61_000), an_alert(2), an_alert(3, NOON_MS - 70_000)]
    late, fresh = planned(batch, 5)
    assert late.is_late
    assert late.text.startswith("2 alerts from 2026-05-08 11:58:50 to 2026-05-08 11:58:59 HKT")
    assert (fresh.told, fresh.is_late) == (batch[1], False)


def test_a_single_old_one_stays_what_it_is_and_is_marked() -> None:
    """There is nothing to put together."""
    [message] = planned([an_alert(1, NOON_MS - 61_000)], 5)
    assert isinstance(message.told, AlertEvent)
    assert message.text == "11:58:59  late: HK.00700 · number 1 [one]"


def test_beyond_the_limit_the_rest_goes_together() -> None:
    """So many alone as there is room for, less one."""
    sent = planned([an_alert(number) for number in range(10)], 3)
    assert [len(ids_within(message)) for message in sent] == [1, 1, 8]
    assert sent[-1].text.startswith("8 alerts from 2026-05-08 12:00:00")


def test_old_ones_are_marked_even_where_there_is_little_room() -> None:
    """First and apart, if there is room for two; else what they are told with is marked."""
    batch: list[Told] = [an_alert(number, NOON_MS - (number < 3) * 61_000) for number in range(9)]
    sent = planned(batch, 3)
    assert [(message.is_late, len(ids_within(message))) for message in sent] == [(True, 3), (False, 1), (False, 5)]
    assert [(message.is_late, len(ids_within(message))) for message in planned(batch, 1)] == [(True, 9)]


def test_the_same_alerts_have_the_same_digest() -> None:
    """Receivers drop repeats by its id."""
    batch: list[Told] = [an_alert(number, NOON_MS - 61_000) for number in range(3)]
    [first], [again], [other] = planned(batch, 9), planned(batch, 9), planned(batch[:2], 9)
    assert first.id == again.id != other.id


def test_a_digest_within_a_digest_is_not_lost() -> None:
    """What it did not spell out is counted."""
    [old] = planned([an_alert(number, NOON_MS - 61_000) for number in range(250)], 1)
    assert isinstance(old.told, DigestEvent)
    [message] = planned([old.told, an_alert(900)], 1)
    assert isinstance(message.told, DigestEvent)
    assert len(message.told.data.alerts) + message.told.data.more == 251
    assert message.text.startswith("251 alerts from")


def test_a_pace_is_kept_in_any_minute() -> None:
    """Room comes back as messages grow old."""
    pace = Pace(2)
    pace.count(10.0)
    pace.count(20.0)
    assert (pace.room(20.0), pace.wait_s(20.0)) == (0, 10.0 + MINUTE_S - 20.0)
    assert (pace.room(10.0 + MINUTE_S), pace.wait_s(10.0 + MINUTE_S)) == (1, 0.0)
