"""Waiting for what is away, in virtual time."""

import asyncio
import logging

import pytest

from brokertape.gateway.errors import NoRights, NotConnected
from brokertape.publisher.patience import Patience
from brokertape.simulator.virtual_time import VirtualClock, run_virtual
from brokertape.tape.errors import StoreUnavailable

LOGGER = logging.getLogger("test.patience")


class Fails:
    """Work that fails until a moment."""

    def __init__(self, error: Exception, until_s: float) -> None:
        self._error = error
        self._until_s = until_s
        self.calls = 0

    async def __call__(self) -> float:
        """The moment at which it worked."""
        self.calls += 1
        now = asyncio.get_running_loop().time()
        if now < self._until_s:
            raise self._error
        return now


def wait(work: Fails, longest_s: float | None) -> float:
    """What comes of it."""

    async def main() -> float:
        return await Patience(VirtualClock(0), LOGGER, longest_s).wait_for(work)

    return run_virtual(main())


@pytest.mark.parametrize("error", [NotConnected("away"), StoreUnavailable("away")])
def test_what_is_away_is_waited_for_and_told_once(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """However long it takes, and ever more seldom."""
    work = Fails(error, 86_400)
    assert 86_400 <= wait(work, None) <= 86_430
    assert work.calls < 86_400 / 30 + 10
    assert caplog.text.count("away") == 1


def test_patience_can_end() -> None:
    """For a run that somebody waits for."""
    with pytest.raises(NotConnected):
        wait(Fails(NotConnected("away"), 86_400), 60.0)
    assert wait(Fails(NotConnected("away"), 20), 60.0) < 60


def test_what_waiting_cannot_mend_is_raised_at_once() -> None:
    """A refusal stays one."""
    work = Fails(NoRights(-1, "no right"), 10)
    with pytest.raises(NoRights):
        wait(work, None)
    assert work.calls == 1
