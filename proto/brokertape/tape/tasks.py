"""Ending what was started."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def end_tasks(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel `tasks` and see them end; what they end with is theirs to tell.

    Asked again each second, for a handler, or a library below, may swallow a cancellation.
    """
    running = set(tasks)
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=1.0)


async def run_all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all `works` at once. The first that fails ends the others, and its failure is raised as it is.

    One that ends as cancelled without having been cancelled from here has failed, too.
    """
    tasks = [asyncio.create_task(work) for work in works]
    done: set[asyncio.Task[None]] = set()
    running = set(tasks)
    try:
        # Not FIRST_EXCEPTION: it waits on when one was cancelled.
        while running and not any(task.cancelled() or task.exception() for task in done):
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end_tasks(tasks)
    for task in done:
        if task.cancelled():
            raise RuntimeError(f"{task.get_coro()} was cancelled from within")
    for task in tasks:
        if not task.cancelled():
            task.result()
