"""Which errors end a command with one line, and which with a traceback."""

import pytest

from brokertape.cli.faults import CommandError, describe_fault
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
    assert describe_fault(kind("first\n  second")) == "first second"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("x"), AssertionError()])
def test_a_fault_of_ours_is_not_hidden(error: Exception) -> None:
    """It keeps its traceback."""
    assert describe_fault(error) is None


def test_a_group_is_told_by_its_first() -> None:
    """Tasks that fail together fail of the same."""
    group = ExceptionGroup("tasks", [StoreUnavailable("gone"), ExceptionGroup("more", [StoreUnavailable("too")])])
    assert describe_fault(group) == "gone"


def test_a_fault_of_ours_in_a_group_is_not_hidden() -> None:
    """However many foreseen errors stand beside it."""
    assert describe_fault(ExceptionGroup("tasks", [StoreUnavailable("gone"), ValueError("ours")])) is None
