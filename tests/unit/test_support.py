"""The test servers themselves."""

import redis.asyncio

from brokertape.cli.redis_server import RedisServer


async def test_scripts_learn_the_servers_run_id(any_redis: redis.asyncio.Redis) -> None:
    """The fake answers INFO server inside a script as a real server does."""
    run_id = await any_redis.eval("return string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')", 0)
    assert len(run_id) == 40


async def test_a_killed_server_keeps_what_it_acknowledged(redis_server: RedisServer) -> None:
    """kill -9 and start again: same data, other run id."""
    client = redis.asyncio.Redis(unix_socket_path=str(redis_server.socket), legacy_responses=False)
    await client.set("k", "v")
    before = (await client.info("server"))["run_id"]
    redis_server.kill()
    redis_server.start()
    assert await client.get("k") == b"v"
    assert (await client.info("server"))["run_id"] != before
    await client.aclose()
