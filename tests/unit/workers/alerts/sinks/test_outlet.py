"""A sink's handler: confirmed once, paced, stopped in good order; and the small sinks themselves."""

import asyncio
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokertape.workers.alerts.event import AlertEvent
from brokertape.workers.alerts.sinks import console
from brokertape.workers.alerts.sinks.console import ConsoleSink
from brokertape.workers.alerts.sinks.log_file import LogFileSink
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.alerts.sinks.outlet import Outlet
from brokertape.workers.errors import SinkUnavailable
from support.telling import NOON_MS, an_alert, delivered


class Recorder:
    """A sink that remembers, and fails when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.fails_after = 1_000

    async def send(self, message: Message, /) -> None:
        if len(self.sent) >= self.fails_after:
            self.fails_after = 1_000
            raise SinkUnavailable("away")
        self.sent.append(message)

    async def close(self) -> None: ...


def outlet(sink: Recorder, per_minute: int = 100, stop: asyncio.Event | None = None) -> Outlet:
    """At noon."""
    stop = stop or asyncio.Event()
    return Outlet(sink, stop, group="alerts", per_minute=per_minute, late_after_ms=60_000, now_ms=lambda: NOON_MS)


async def test_what_was_confirmed_is_not_sent_again() -> None:
    """The sink went away in the middle; the whole batch comes again."""
    sink = Recorder()
    sink.fails_after = 2
    ours, batch = outlet(sink), delivered(*(an_alert(number) for number in range(4)))
    with pytest.raises(SinkUnavailable):
        await ours.handle(batch)
    await ours.handle(batch)
    await ours.handle(batch)
    assert [message.id for message in sink.sent] == [delivery.event.id for delivery in batch]


async def test_what_a_digest_told_is_confirmed_with_it() -> None:
    """Alert by alert."""
    sink = Recorder()
    ours, batch = outlet(sink, per_minute=2), delivered(*(an_alert(number) for number in range(6)))
    await ours.handle(batch)
    await ours.handle(batch[3:])
    assert [message.covers for message in sink.sent] == [
        (batch[0].event.id,),
        tuple(delivery.event.id for delivery in batch[1:]),
    ]
    assert (ours.counts.sent, ours.counts.digests) == (2, 1)


async def test_a_stop_ends_the_wait_for_the_next_minute() -> None:
    """What waits stays pending."""
    stop, sink = asyncio.Event(), Recorder()
    ours = outlet(sink, per_minute=1, stop=stop)
    await ours.handle(delivered(an_alert(1)))
    waiting = asyncio.create_task(ours.handle(delivered(an_alert(2))))
    await asyncio.sleep(0)
    assert not waiting.done()
    stop.set()
    with pytest.raises(SinkUnavailable, match="stopped"):
        await waiting
    assert len(sink.sent) == 1


def told(number: int) -> Message:
    """One alert."""
    event = an_alert(number)
    return Message(event, is_late=False, covers=(event.id,))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends, closed after the test."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


async def test_the_console_shows_no_control_characters(pipe: tuple[int, int]) -> None:
    """A broker's name is not ours."""
    read, write = pipe
    message = told(1)
    assert isinstance(message.told, AlertEvent)
    await ConsoleSink(write).send(message)
    assert os.read(read, 1000).decode() == "12:00:00  HK.00700 · number 1 [one]\n"


async def test_a_console_that_nobody_reads_is_waited_for_and_told_once(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pager, Ctrl-S: however often it is tried meanwhile, each line is there once, and nothing hangs."""
    monkeypatch.setattr(console, "PATIENCE_S", 0.1)
    read, write = pipe
    sink, sent = ConsoleSink(write), 0

    async def fill() -> None:
        nonlocal sent
        while True:
            await sink.send(told(sent))
            sent += 1

    with pytest.raises(SinkUnavailable, match="nobody reads it"):
        await fill()
    with pytest.raises(SinkUnavailable):
        await sink.send(told(sent))
    os.set_blocking(read, False)
    text = os.read(read, 1 << 20)
    await sink.send(told(sent))
    await sink.send(told(sent + 1))
    text += os.read(read, 1 << 20)
    assert text.decode().splitlines() == [told(number).text for number in range(sent + 2)]


@pytest.mark.parametrize(("tried", "told_at_last"), [([9, 0, 0], [0]), ([9, 0, 1, 2], [0, 3])])
async def test_of_what_is_given_up_only_the_begun_line_is_finished(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, tried: list[int], told_at_last: list[int]
) -> None:
    """The same message is gone on with; others that come instead do not gather."""
    read, write = pipe
    sink, real, room = ConsoleSink(write), os.write, [0, 10, 0, 0, 0]

    def little(descriptor: int, data: bytes) -> int:
        if not (size := room.pop(0)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[:size])

    monkeypatch.setattr(os, "write", little)
    for number in tried:
        with pytest.raises(SinkUnavailable):
            await sink.send(told(number))
    monkeypatch.setattr(os, "write", real)
    await sink.send(told(told_at_last[-1]))
    assert os.read(read, 1000).decode().splitlines() == [told(number).text for number in told_at_last]


async def test_a_full_disk_is_told_no_line_twice(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be written is not kept in a buffer beside the next attempt."""
    read, write = pipe
    sink, real = ConsoleSink(write), os.write

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    for _ in range(3):
        with pytest.raises(SinkUnavailable, match="No space left"):
            await sink.send(told(1))
    monkeypatch.setattr(os, "write", real)
    await sink.send(told(1))
    assert os.read(read, 1000).decode() == f"{told(1).text}\n"


async def test_a_file_gets_a_line_each_and_nobody_else_reads_it(tmp_path: Path) -> None:
    """It may be rotated away at any time."""
    path = tmp_path / "alerts.jsonl"
    sink = LogFileSink(path)
    await sink.send(told(1))
    path.rename(tmp_path / "old")
    await sink.send(told(2))
    assert json.loads(path.read_bytes())["id"] == told(2).id
    assert path.stat().st_mode & 0o777 == 0o600


async def test_a_file_that_cannot_be_written_is_waited_for(tmp_path: Path) -> None:
    """It may be mended."""
    with pytest.raises(SinkUnavailable, match="No such file or directory"):
        await LogFileSink(tmp_path / "nowhere" / "file").send(told(1))


async def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt would make one line of two."""
    path = tmp_path / "alerts.jsonl"
    sink, write = LogFileSink(path), os.write
    await sink.send(told(1))
    monkeypatch.setattr(os, "write", lambda descriptor, line: write(descriptor, line[:10]))
    with pytest.raises(SinkUnavailable, match="No space left"):
        await sink.send(told(2))
    monkeypatch.undo()
    await sink.send(told(2))
    assert [json.loads(line)["id"] for line in path.read_bytes().splitlines()] == [told(1).id, told(2).id]
