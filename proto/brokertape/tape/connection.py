"""The one seam to Redis: how everybody of ours connects, runs a script, and reads its failures.

redis-py repeats commands by itself unless told otherwise, which doubles an XADD whose reply was lost. So its
retries are off: whoever writes repeats knowingly, under an id that makes the repeat harmless.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from typing import Any, cast

from redis import exceptions
from redis.asyncio import Redis, RedisCluster

from brokertape.tape.errors import StoreRefused, StoreUnavailable
from brokertape.tape.sentinel import SentinelUrlError, sentinel_client
from brokertape.tape.timed import BROKEN, TimedCluster, TimedRedis, no_retry

RedisClient = Redis | RedisCluster

CLUSTER = "+cluster"
SENTINEL = "+sentinel"
SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel")

_PASSWORD_OPTION = re.compile(r"([?&](?:sentinel_|ssl_)?password=)[^&]*")

_UNAVAILABLE = (
    exceptions.ConnectionError,  # and with it BusyLoadingError, MasterNotFoundError
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,  # a master that became a replica
    exceptions.ClusterDownError,
    exceptions.TryAgainError,
    exceptions.MasterDownError,
    exceptions.OutOfMemoryError,  # passes when entries are trimmed or somebody raises maxmemory
    exceptions.ClusterError,  # too many redirections, in the middle of a resharding
    exceptions.RedisClusterException,  # of all nodes none answers; not one of RedisError's
    OSError,
)

# Refusals that pass by themselves: a replica comes back, the disk has room again, a script ends.
_PASSES = ("NOREPLICAS", "MISCONF", "BUSY Redis")


def connect(url: str, *, command_timeout_s: float = 5.0, max_connections: int = 64) -> RedisClient:
    """A client of the Redis at `url`; nothing is sent yet.

    Args:
        url: `redis://`, `rediss://` (TLS), `unix://`, `redis+cluster://` / `rediss+cluster://` for any node of a
            Cluster, or `redis+sentinel://host1:26379,host2:26379/<service>[/<db>]` / `rediss+sentinel://` for the
            master that Sentinels name. User, password, database and redis-py's options (`?ssl_ca_certs=…`) go into
            the URL; the Sentinels' own login is `?sentinel_username=…&sentinel_password=…`.
        command_timeout_s: How long one command may take; it must be longer than any blocking read.
        max_connections: Bound of the connection pool.

    Raises:
        StoreRefused: The URL is none of these.
    """
    scheme, _, rest = url.partition("://")
    if scheme not in SCHEMES or not rest:
        raise StoreRefused(f"Redis URL {redact(url)!r}: start it with {', '.join(f'{name}://' for name in SCHEMES)}")
    options: dict[str, Any] = {
        # Not redis-py's own time limit: on Python 3.11 it writes through asyncio.wait_for, which loses a cancellation
        # that arrives as the write ends (23 of 40 in a loop of pings), and costs a task per command.
        "socket_timeout": None,
        "socket_connect_timeout": min(command_timeout_s / 2, 5.0),  # so that there is time to ask another node
        "max_connections": max_connections,
        "legacy_responses": False,
    }
    try:
        if scheme.endswith(SENTINEL):
            return _checked(
                sentinel_client(rest, is_tls="rediss" in scheme, command_timeout_s=command_timeout_s, options=options)
            )
        if scheme.endswith(CLUSTER):
            url = f"{scheme.removesuffix(CLUSTER)}://{rest}"
            cluster = cast("TimedCluster", TimedCluster.from_url(url, retry=no_retry(), **options))
            cluster.command_timeout_s = command_timeout_s
            return cluster
        client = cast("TimedRedis", TimedRedis.from_url(url, retry=no_retry(), **options))
        client.command_timeout_s = command_timeout_s
        return _checked(client)
    except SentinelUrlError as error:
        raise StoreRefused(f"Redis URL {redact(url)!r}: {error}") from error
    except (ValueError, TypeError) as error:
        # What cannot be read may be the password, and the error then quotes a part of it.
        reason = "write special characters of user and password as %XX" if "@" in url else str(error)
        raise StoreRefused(f"Redis URL {redact(url)!r}: {reason}") from error


def _checked(client: TimedRedis) -> TimedRedis:
    """`client`, once an unknown option has had its chance to show: now, not at the first command."""
    pool = client.connection_pool
    pool.connection_class(**pool.connection_kwargs)
    return client


async def run_pipeline(client: RedisClient, pipeline: Any, *, raise_on_error: bool = True) -> Any:
    """Execute `pipeline`, made by `client`, within the time one command may take.

    Without `raise_on_error` what a command was refused for stands among the results; a broken connection is raised.
    """
    async with _limit(client):
        results = await pipeline.execute(raise_on_error=False)
        # Raised here and not by redis-py: it puts the command before the server's words, which tell failures apart.
        for result in results:
            if isinstance(result, Exception) and (raise_on_error or isinstance(result, BROKEN)):
                raise result
    return results


async def server_time_ms(client: RedisClient, key: str) -> int:
    """Now (ms since 1970) by the clock of the server that keeps `key`. Raises StoreError."""
    with store_errors():
        if isinstance(client, RedisCluster):
            await find_nodes(client)
            seconds, microseconds = await client.time(target_nodes=client.get_node_from_key(key))
        else:
            seconds, microseconds = await client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


async def find_nodes(client: RedisCluster) -> None:
    """See that the nodes are known, within the time one command may take: for commands to one of them."""
    async with _limit(client):
        await client.initialize()


def _limit(client: RedisClient) -> AbstractAsyncContextManager[object]:
    return client.limit() if isinstance(client, TimedRedis | TimedCluster) else nullcontext()


def redact(url: str) -> str:
    """`url` without its password, fit for logs, however badly it is written."""
    head, at, rest = _PASSWORD_OPTION.sub(r"\1***", url).rpartition("@")
    if not at:
        return rest
    scheme, separator, credentials = head.partition("://") if "://" in head else ("", "", head)
    return f"{scheme}{separator}{credentials.partition(':')[0]}:***@{rest}"


@contextmanager
def store_errors() -> Iterator[None]:
    """Translates what redis-py raises into the two errors the rest of the code knows, cause kept."""
    try:
        yield
    except exceptions.AuthenticationError as error:
        raise StoreRefused(f"Redis refused the login: {error}") from error
    except _UNAVAILABLE as error:
        if isinstance(error.__cause__, exceptions.AuthenticationError):  # so it comes out of a new connection
            raise StoreRefused(f"Redis refused the login: {error}") from error
        raise StoreUnavailable(f"Redis did not answer: {str(error) or type(error).__name__}") from error
    except exceptions.RedisError as error:
        passes = str(error).startswith(_PASSES)
        raise (StoreUnavailable if passes else StoreRefused)(f"Redis refused: {error}") from error


class Script:
    """A Lua script that survives a server that does not know it: scripts are neither replicated nor persisted."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._sha = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()

    async def run(self, client: RedisClient, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Run it on `keys`, which must share a Cluster slot; raises redis-py's errors (see `store_errors`)."""
        try:
            return await client.evalsha(self._sha, len(keys), *keys, *args)
        except exceptions.NoScriptError:
            return await client.eval(self.text, len(keys), *keys, *args)
