"""Which failures a user can foresee, and how each ends a command: one line and an exit code, never a traceback."""

from collections.abc import Iterator
from dataclasses import dataclass

OK = 0
UNHEALTHY = 1
BAD_INPUT = 2


class CommandError(Exception):
    """The root of the command line's own errors: one line that says what is wrong and what would do."""


class SettingsError(CommandError):
    """Raised when a flag, a variable or the settings file cannot be meant."""


class NoTape(CommandError):
    """Raised when there is no tape where one is to be read."""


class NothingStored(CommandError):
    """Raised when the database holds nothing of what is asked for."""


class WrongKey(CommandError):
    """Raised when the gateway cannot be talked to with the RSA key that is set."""


class DemoFailed(CommandError):
    """Raised when a part of the demo does not come up or does not end as it should."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How a foreseen error ends a command."""

    line: str
    exit_code: int


def fault_of(error: BaseException) -> Fault | None:
    """What `error` ends a command with; None for a fault of ours, which shows its traceback."""
    if isinstance(error, BaseExceptionGroup):
        # Tasks that failed together: one fault of ours among them is not hidden behind the others.
        faults = [fault_of(one) for one in error.exceptions]
        return None if None in faults else faults[0]
    if not isinstance(error, tuple(_foreseen())):
        return None
    return Fault(" ".join(str(error).split()), UNHEALTHY if isinstance(error, DemoFailed) else BAD_INPUT)


def _foreseen() -> Iterator[type[BaseException]]:
    """The roots of every tree of errors that a command may end with. Imported here: only who fails pays for it."""
    from brokertape.cli.redis_server import ServerError
    from brokertape.gateway.errors import GatewayError
    from brokertape.tape.errors import TapeError
    from brokertape.workers.errors import WorkerError

    yield from (CommandError, ServerError, GatewayError, TapeError, WorkerError)
