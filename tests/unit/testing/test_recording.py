"""A recorded day, played through `subscribe`."""

import gzip
import time
from collections import Counter
from pathlib import Path

import pytest

from brokertape.subscriber import State, Update, subscribe
from brokertape.tape.changes import apply
from brokertape.tape.codec import dump
from brokertape.tape.errors import DecodeError
from brokertape.tape.events import ChangeEvent, TapeEvent
from brokertape.tape.rows import Row, hash_rows
from brokertape.testing import Recording, recorded_day
from support import recorded_day as recorder
from support.tape_factory import TapeFactory


async def test_the_recorded_day_plays_to_its_end() -> None:
    """Every event of every code, each leading to the list it says; nothing late, nothing missed."""
    day = recorded_day()
    told: Counter[str] = Counter()
    async with subscribe(day.tape(), day.codes, max_age=120) as subscription:
        async for event in subscription:
            told[event.kind] += 1
            assert not isinstance(event, State)
            if isinstance(event, Update):
                assert not event.is_late
                assert event.book is not None
                assert hash_rows(event.book.rows) == event.event.data.hash
    assert told["baseline"] == len(day.codes) == 3
    assert told["change"] == sum(isinstance(event, ChangeEvent) for event in day.events) > 300
    assert 0 < told["fresh"] <= told["stale"] <= told["fresh"] + 3  # over lunch the gateway is asked seldom


def test_the_recorded_day_is_a_tape() -> None:
    """Contiguous per code, and every change applies."""
    rows: dict[str, tuple[Row, ...]] = {}
    seqs: dict[str, int] = {}
    for event in (one for one in recorded_day().events if isinstance(one, TapeEvent)):
        data = event.data
        assert data.prev_seq == seqs.get(data.code)
        before = rows.get(data.code, ())
        rows[data.code] = apply(before, event.data.changes) if isinstance(event, ChangeEvent) else event.data.rows
        seqs[data.code] = data.seq


def test_recording_it_anew_changes_nothing() -> None:
    """The file is what the simulator and the publisher make today."""
    assert gzip.decompress(recorder.recording()) == gzip.decompress(recorder.PATH.read_bytes())


async def test_a_speed_is_kept() -> None:
    """Two seconds of the recording, at twenty times its pace."""
    factory = TapeFactory()
    recording = Recording([factory.baseline(), factory.change(), factory.change()])
    began = time.monotonic()
    async with subscribe(recording.tape(speed=20), recording.codes) as subscription:
        kinds = [event.kind async for event in subscription]
    assert kinds == ["baseline", "change", "change"]
    assert time.monotonic() - began >= 0.1


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.gz"])
def test_a_file_as_tail_prints_it(tmp_path: Path, name: str) -> None:
    """One payload a line, compressed or not; empty lines do not matter."""
    events = TapeFactory().day(3)
    content = b"\n\n".join(dump(event) for event in events)
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert list(Recording.load(path).events) == events


def test_a_line_that_is_no_event_is_named() -> None:
    """With its number."""
    with pytest.raises(DecodeError, match="line 2: "):
        Recording.loads(dump(TapeFactory().baseline()) + b"\n{}\n")


def test_what_cannot_be_played_is_left_out_or_said() -> None:
    """Changes before the first complete list, and repeats, are no harm; a missing event is."""
    factory = TapeFactory()
    events = [factory.baseline(), factory.change(), factory.rollover(), factory.change(), factory.change()]
    assert list(Recording([*events[1:], *events[2:]]).events) == events[2:]
    with pytest.raises(DecodeError, match="events are missing"):
        Recording([*events[:3], events[4]])


@pytest.mark.parametrize("content", [b"\x1f\x8b damaged", b"\x1f\x8b"])
def test_a_damaged_file_is_said(content: bytes) -> None:
    """In the words of the contract's errors."""
    with pytest.raises(DecodeError, match="damaged"):
        Recording.loads(content)


def test_a_speed_that_cannot_be_is_said() -> None:
    """Before anything is played."""
    with pytest.raises(ValueError, match="above 0"):
        recorded_day().tape(speed=0)
