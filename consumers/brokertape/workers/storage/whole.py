"""Work on a database that a cancellation does not cut off in the middle."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def whole(work: Callable[P, Coroutine[Any, Any, R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """`work` that comes to its end before a cancellation of it is obeyed: a stop, a time limit, a lost lease.

    A driver that is cancelled between two statements leaves a connection behind whose transaction is still open: SQLite
    stays locked for good, PostgreSQL for its time limit. How long a cancelled call may take is bounded by the drivers'
    own time limits.
    """

    @wraps(work)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        task = asyncio.create_task(work(*args, **kwargs))
        cancelled: asyncio.CancelledError | None = None
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            task.exception()  # it is told by nobody, for whoever waited for it has gone
            raise cancelled
        return task.result()

    return wrapped
