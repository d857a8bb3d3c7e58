"""What an entry is, before anybody handles it."""

import re

import pytest

from brokertape.tape.codec import encode_entry
from brokertape.tape.events import StatusData, StatusEvent
from brokertape.workers.channel import TAPE
from brokertape.workers.delivery import Delivery, Entry
from brokertape.workers.intake import Hopeless, Unknown, examine
from support.tape_factory import SOURCE, TapeFactory

EVENT = TapeFactory().baseline()
GOOD = {name.encode(): value for name, value in encode_entry(EVENT).items()}
STATUS = StatusEvent(
    source=SOURCE,
    id="p1/1/1",
    subject="gateway",
    time="2026-05-08T08:00:21.467Z",
    data=StatusData(scope="gateway", name="gateway", state="connected", reason=None),
)


def entry(fields: dict[bytes, bytes], attempts: int = 1) -> Entry:
    """An entry of partition 3."""
    return Entry(3, "7-0", fields, attempts)


def test_a_good_entry_is_a_delivery() -> None:
    """Event, place, count and the payload byte for byte."""
    delivery = examine(entry(GOOD, 2), TAPE, 5)
    assert isinstance(delivery, Delivery)
    assert delivery.event == EVENT
    assert (delivery.partition, delivery.entry_id, delivery.attempts) == (3, "7-0", 2)
    assert delivery.payload == GOOD[b"payload"]


def test_a_type_of_a_later_version_is_unknown() -> None:
    """Neither an error nor a dead letter."""
    payload = GOOD[b"payload"].replace(b"baseline.v1", b"baseline.v9")
    assert isinstance(examine(entry({**GOOD, b"payload": payload}), TAPE, 5), Unknown)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({b"a": b"b"}, "cannot be read: entry has no JSON payload"),
        ({**GOOD, b"payload": b"{"}, "cannot be read"),
        ({**GOOD, b"payload": GOOD[b"payload"].replace(b'"seq":1', b'"seq":"x"')}, "cannot be read: .*seq"),
        (
            {k.encode(): v for k, v in encode_entry(STATUS).items()},
            "brokertape.status.v1 does not belong on the tape stream",
        ),
    ],
    ids=["foreign", "cut off", "wrong type", "of another stream"],
)
def test_what_no_handler_can_use_is_hopeless(fields: dict[bytes, bytes], error: str) -> None:
    """Trying again would not help, so the first delivery is the last."""
    verdict = examine(entry(fields), TAPE, 5)
    assert isinstance(verdict, Hopeless)
    assert re.match(error, verdict.error)


@pytest.mark.parametrize(("attempts", "is_hopeless"), [(10, False), (11, True)])
def test_an_entry_that_is_never_answered_is_hopeless(attempts: int, *, is_hopeless: bool) -> None:
    """The last attempt is still made; only after it the entry is taken to end its workers."""
    assert isinstance(examine(entry(GOOD, attempts), TAPE, 5), Hopeless) is is_hopeless
