"""A client that finds its Redis through Sentinels: each new connection goes to the master they name then.

    redis+sentinel://[user:password@]host1:26379,host2:26379/<service>[/<db>][?options]

User, password and database are those of the master; the Sentinels' own come as the options `sentinel_username` and
`sentinel_password`. `rediss+sentinel://` speaks TLS to both.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis import exceptions
from redis.asyncio import ConnectionPool
from redis.asyncio.connection import Connection, SSLConnection, parse_url
from redis.asyncio.sentinel import (
    MasterNotFoundError,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)

from brokertape.tape.timed import TimedRedis, no_retry

DEFAULT_PORT = 26379
ASK_TIMEOUT_S = 1.0  # one Sentinel that stands still must not use up the time of a command

_SHARED = ("ssl_", "socket_")  # options that hold for the connections to the Sentinels too
_OWN = ("username", "password")

Address = tuple[str, int]


class SentinelUrlError(ValueError):
    """Raised when the part of a URL after its scheme is not as above; the line repeats nothing of it."""


class SentinelRedis(TimedRedis):
    """A client of the master. Closing it closes the connections to the Sentinels too."""

    sentinels: "Sentinels"

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """As redis-py's."""
        try:
            await super().aclose(close_connection_pool)
        finally:
            await self.sentinels.aclose()


class Sentinels:
    """Asks one Sentinel after the other, the one that answered last first."""

    def __init__(self, clients: Sequence[TimedRedis]) -> None:
        self._clients = list(clients)

    async def discover_master(self, service: str) -> Address:
        """Host and port of the master of `service`; the name is redis-py's.

        Raises:
            AuthenticationError: No Sentinel lets us in.
            ResponseError: None of them knows the service.
            MasterNotFoundError: None answered, or it is a mixture.
        """
        failures: list[Exception] = []
        for client in tuple(self._clients):
            try:
                found = await client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", service)
                if found is None:
                    raise exceptions.ResponseError(f"the Sentinels know no service {service!r}")
            except (OSError, exceptions.RedisError) as error:
                failures.append(error)
                continue
            self._clients.remove(client)
            self._clients.insert(0, client)
            host, port = found
            return host.decode() if isinstance(host, bytes) else host, port
        raise _gist(service, failures)

    async def aclose(self) -> None:
        """Close every connection to a Sentinel."""
        for client in self._clients:
            await client.aclose()


def _gist(service: str, failures: Sequence[Exception]) -> Exception:
    """The one error that many came to: final only if all of them are of that kind."""
    for final in (exceptions.AuthenticationError, exceptions.ResponseError):
        if all(isinstance(one, final) or isinstance(one.__cause__, final) for one in failures):
            return failures[0]
    reasons = dict.fromkeys(str(one) or type(one).__name__ for one in failures)
    return MasterNotFoundError(f"no Sentinel named the master of {service!r}: {'; '.join(reasons)}")


class _ToMaster(SentinelManagedConnection):
    """A connection that makes sure of what it was told: a Sentinel may be behind, a master may have been replaced."""

    async def connect_to(self, address: Address) -> None:
        await super().connect_to(address)  # type: ignore[no-untyped-call]  # redis-py's own
        await self.send_command("ROLE")
        try:
            role = await self.read_response()
        except exceptions.NoPermissionError:
            return  # this user may not ask; writes to a replica will fail
        if role[0] not in (b"master", "master"):
            await self.disconnect()
            raise exceptions.ConnectionError(f"{address[0]}:{address[1]} is no master any more")


class _ToMasterByTLS(_ToMaster, SentinelManagedSSLConnection):
    """The same by TLS."""


def sentinel_client(rest: str, *, is_tls: bool, command_timeout_s: float, options: Mapping[str, Any]) -> SentinelRedis:
    """A client of the master that the URL `redis+sentinel://<rest>` tells how to find; nothing is sent yet.

    `options` are redis-py's, for what the URL leaves open.

    Raises:
        SentinelUrlError: The URL is not complete.
        ValueError, TypeError: Something in it cannot be read, or is an option that does not exist.
    """
    credentials, hosts, service, db, query = _parts(rest)
    given: dict[str, Any] = {**options, **parse_url(f"redis://{credentials}master/{db}?{query}")}
    del given["host"]
    own = {name: given.pop(f"sentinel_{name}", None) for name in _OWN}
    shared = {name: value for name, value in given.items() if name.startswith(_SHARED)}
    ask_timeout_s = min(ASK_TIMEOUT_S, command_timeout_s / (len(hosts) + 1))
    sentinels = Sentinels([_sentinel(address, is_tls, ask_timeout_s, own | shared) for address in hosts])
    pool = SentinelConnectionPool(  # type: ignore[no-untyped-call]  # redis-py's own
        service,
        sentinels,
        connection_class=_ToMasterByTLS if is_tls else _ToMaster,
        retry=no_retry(),
        **given,
    )
    client = cast("SentinelRedis", SentinelRedis.from_pool(pool))
    client.command_timeout_s = command_timeout_s
    client.sentinels = sentinels
    return client


def _sentinel(address: Address, is_tls: bool, ask_timeout_s: float, options: Mapping[str, Any]) -> TimedRedis:
    host, port = address
    connection_class = SSLConnection if is_tls else Connection
    pool = ConnectionPool(connection_class=connection_class, host=host, port=port, retry=no_retry(), **options)
    client = cast("TimedRedis", TimedRedis.from_pool(pool))
    client.command_timeout_s = ask_timeout_s
    return client


def _parts(rest: str) -> tuple[str, list[Address], str, int, str]:
    """Credentials with their `@`, hosts, service, database and query of what follows the scheme."""
    place, _, query = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, at, hosts = authority.rpartition("@")
    service, _, db = path.partition("/")
    if not service:
        raise SentinelUrlError("name the service after the hosts, as in redis+sentinel://host:26379/mymaster")
    if "@" in path:
        raise ValueError("an @ behind the first slash")
    if db and not db.isdecimal():
        raise SentinelUrlError("what follows the service is the number of the database")
    return f"{credentials}{at}", [_address(one) for one in hosts.split(",")], unquote(service), int(db or 0), query


def _address(text: str) -> Address:
    parsed = urlsplit(f"//{text}")
    if not parsed.hostname:
        raise SentinelUrlError("between two commas of the hosts there is none")
    return parsed.hostname, parsed.port or DEFAULT_PORT
