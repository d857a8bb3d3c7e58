"""Clients of redis-py whose every command is bounded as a whole, and which repeat nothing by themselves."""

import asyncio
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff


def no_retry() -> Retry:
    """What turns redis-py's own repeats off."""
    return Retry(NoBackoff(), 0)


class TimedRedis(Redis):
    """A client with a limit; `None` is none."""

    command_timeout_s: float | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's; raises TimeoutError. The connection is closed with it, so no late reply is mistaken."""
        async with asyncio.timeout(self.command_timeout_s):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py's own


class TimedCluster(RedisCluster):
    """The same for a Cluster."""

    command_timeout_s: float | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """As redis-py's; raises TimeoutError."""
        async with asyncio.timeout(self.command_timeout_s):
            return await super().execute_command(*args, **options)
