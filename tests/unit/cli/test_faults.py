"""Which errors end a command with one line, and which with a traceback."""

import pytest

from brokertape.cli.faults import BAD_INPUT, UNHEALTHY, CommandError, DemoFailed, Fault, fault_of
from brokertape.cli.redis_server import ServerError
from brokertape.gateway.errors import GatewayError, KeyFileError, NotConnected
from brokertape.tape.errors import InvalidCode, StoreUnavailable, TapeError, TapeMismatch
from brokertape.workers.errors import WorkerError
from brokertape.workers.storage import CannotOpen


@pytest.mark.parametrize(
    "kind",
    [
        *(CommandError, ServerError, GatewayError, TapeError, WorkerError),
        *(KeyFileError, NotConnected, InvalidCode, StoreUnavailable, TapeMismatch, CannotOpen),
    ],
)
def test_every_tree_of_errors_is_foreseen(kind: type[Exception]) -> None:
    """Root and leaves, in one line whatever their text."""
    assert fault_of(kind("first\n  second")) == Fault("first second", BAD_INPUT)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("x"), AssertionError()])
def test_a_fault_of_ours_is_not_hidden(error: Exception) -> None:
    """It keeps its traceback."""
    assert fault_of(error) is None


def test_a_group_is_told_by_its_first() -> None:
    """Tasks that fail together fail of the same."""
    group = ExceptionGroup("tasks", [StoreUnavailable("gone"), ExceptionGroup("more", [StoreUnavailable("too")])])
    assert fault_of(group) == Fault("gone", BAD_INPUT)


def test_a_fault_of_ours_in_a_group_is_not_hidden() -> None:
    """However many foreseen errors stand beside it."""
    assert fault_of(ExceptionGroup("tasks", [StoreUnavailable("gone"), ValueError("ours")])) is None


def test_a_demo_that_fails_is_no_bad_input() -> None:
    """Its exit code is that of something unhealthy."""
    assert fault_of(DemoFailed("publish ended")) == Fault("publish ended", UNHEALTHY)
