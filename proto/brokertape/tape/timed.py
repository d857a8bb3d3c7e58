"""Clients of redis-py whose every command is bounded as a whole, and which repeat nothing by themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from redis import exceptions
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import MaxConnectionsError

BROKEN = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)  # and with it the TimeoutError of a limit


def no_retry() -> Retry:
    """What turns redis-py's own repeats off."""
    return Retry(NoBackoff(), 0)


class TimedRedis(Redis):
    """A client with a limit; `None` is none."""

    command_timeout_s: float | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's; raises TimeoutError. The connection is closed with it, so no late reply is mistaken."""
        async with self.limit():
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own

    def limit(self) -> AbstractAsyncContextManager[object]:
        """The limit, for commands that do not come by `execute_command`."""
        return asyncio.timeout(self.command_timeout_s)


class TimedCluster(RedisCluster):
    """The same for a Cluster.

    redis-py asks anew who has which slots once a connection has broken, and knows nothing of our limit: a master that
    stands still, or whose host is gone without a word, would be asked for ever, though a replica has taken its place.
    So a limit that was reached counts as a broken connection, and one that broke in a pipeline as well. Which node is
    asked then is redis-py's choice, at random: if it is that very one, the next command asks another.
    """

    command_timeout_s: float | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's; raises TimeoutError."""
        async with self.limit():
            return await super().execute_command(*args, **options)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """The limit, for commands that do not come by `execute_command`."""
        try:
            async with asyncio.timeout(self.command_timeout_s):
                yield
        except MaxConnectionsError:  # ours: no node has to do with it
            raise
        except BROKEN:
            self._initialize = True  # what redis-py itself sets
            raise
