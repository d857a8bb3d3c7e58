"""Redis found through Sentinels: a failover is a pause, and what cannot be is said in a line."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import redis as sync_redis

from brokertape.tape.connection import RedisClient, connect, store_errors
from brokertape.tape.errors import StoreRefused, StoreUnavailable
from support.proxies import Trap
from support.sentinel import SERVICE, SentinelTrio, sentinel_trio
from support.stand import CODES, before_redis, stop
from support.tape_checker import faults, read_answers, read_tape
from support.waiting import until

pytestmark = pytest.mark.server

BACK_WITHIN_S = 17.0  # three of them until the Sentinels take the master for dead


@pytest.fixture
def trio(short_dir: Path, redis_program: Path) -> Iterator[SentinelTrio]:
    """A trio of this test's own."""
    with sentinel_trio(short_dir, redis_program) as trio:
        yield trio


@asynccontextmanager
async def client_of(url: str, command_timeout_s: float = 2.0) -> AsyncIterator[RedisClient]:
    """A client, closed in the end."""
    client = connect(url, command_timeout_s=command_timeout_s)
    try:
        yield client
    finally:
        await client.aclose()


async def write(client: RedisClient, value: str) -> None:
    """One write."""
    with store_errors():
        await client.set("key", value)


async def write_on(client: RedisClient, value: str) -> None:
    """Write until it is taken: a change of roles breaks connections, the Sentinels do so even after it is over."""
    began = time.monotonic()
    while True:
        try:
            return await write(client, value)
        except StoreUnavailable:
            assert time.monotonic() - began < BACK_WITHIN_S
            await asyncio.sleep(0.1)


async def test_writes_go_on_with_the_new_master(trio: SentinelTrio) -> None:
    """Within seconds of a kill -9, by the same client; the old master, started again, is not written to."""
    async with client_of(trio.url) as client:
        await write(client, "before")
        old = trio.kill_master()
        await write_on(client, "after")
        new = trio.wait_for_failover(old)
        old.start()
        trio.wait_until_redundant()
        await write_on(client, "after all")
        with closing(sync_redis.Redis(unix_socket_path=str(new.socket))) as direct:
            assert direct.get("key") == b"after all"


async def test_sentinels_that_do_not_answer_are_passed_over(trio: SentinelTrio) -> None:
    """One that is gone and one that stands still cost less than the time of a command; none at all is unavailable."""
    trio.sentinels[0].kill()
    trio.sentinels[1].pause()
    async with client_of(trio.url, command_timeout_s=4.0) as client:
        await write(client, "v")
    trio.sentinels[2].pause()
    async with client_of(trio.url, command_timeout_s=4.0) as client:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=f"no Sentinel named the master of '{SERVICE}'"):
            await write(client, "v")
        assert time.monotonic() - began < 7  # at a whole command each, the two would take eight


async def test_a_sentinel_that_is_behind_leads_no_one_to_a_replica(trio: SentinelTrio) -> None:
    """What it names is asked for its role."""
    master = trio.known_master()
    (replica_port,) = (port for port, server in trio.servers.items() if server is not master)
    (master_port,) = (port for port, server in trio.servers.items() if server is master)
    for number, sentinel in enumerate(trio.sentinels):
        sentinel.ask("SENTINEL", "REMOVE", SERVICE)
        named = replica_port if number == 0 else master_port
        sentinel.ask("SENTINEL", "MONITOR", SERVICE, "127.0.0.1", str(named), "9")
    async with client_of(trio.url) as client:
        with pytest.raises(StoreUnavailable, match="is no master any more"):
            await write(client, "v")


async def test_the_sentinels_may_have_a_password_of_their_own(short_dir: Path, redis_program: Path) -> None:
    """It is an option of the URL; a wrong or missing one is a refusal, as is a service nobody knows."""
    with sentinel_trio(short_dir, redis_program, password="hidden") as trio:
        async with client_of(f"{trio.url}?sentinel_password=hidden") as client:
            await write(client, "v")
        other = trio.url.replace(SERVICE, "other")
        for url in (trio.url, f"{trio.url}?sentinel_password=wrong", f"{other}?sentinel_password=hidden"):
            async with client_of(url) as client:
                with pytest.raises(StoreRefused) as error:
                    await write(client, "v")
                assert "hidden" not in str(error.value)


async def test_publishing_goes_on_over_a_failover(trio: SentinelTrio, short_dir: Path) -> None:
    """The same process; the tape of the new master has no gap, duplicate or altered row within an epoch."""
    master = trio.known_master()
    (new,) = (server for server in trio.servers.values() if server is not master)
    with closing(sync_redis.Redis(unix_socket_path=str(new.socket))) as reader:
        async with before_redis(short_dir, reader, trio.url, Trap(), 3.0) as place:
            publisher = await place.start_publisher("p1")
            await place.polls(40)
            assert trio.kill_master() is master
            assert await asyncio.to_thread(trio.wait_for_failover, master) is new
            written = place.events()
            await until(lambda: place.events() >= written + 2 * len(CODES), timeout_s=60)
            assert publisher.returncode is None
            await stop(publisher)
        tape = read_tape(reader)
        assert faults(tape, read_answers(place.log)) == []
