"""Live interest as the publisher reads and sweeps it."""

from redis.asyncio import Redis

from brokertape.publisher.interest import Interest
from brokertape.publisher.watch import WatchList
from brokertape.tape.connection import server_time_ms
from brokertape.tape.interest import member_of
from brokertape.tape.keys import Keys
from brokertape.tape.want import Want

KEYS = Keys()


async def ask(client: Redis, member: str, ends_in_s: float, want: str | None = None) -> None:
    """Write a member as a subscriber does, by Redis' own clock."""
    now = await server_time_ms(client, KEYS.interest)
    await client.zadd(KEYS.interest, {member: now + round(1000 * ends_in_s)})
    if want is not None:
        await client.hset(KEYS.interest_want, member, want)


async def test_the_wants_of_all_live_subscribers_are_combined(any_redis: Redis) -> None:
    """Expired ones do not count, nor does a want without an expiry."""
    await ask(any_redis, member_of("HK.00700", "a"), 30, '{"weight": 2, "max_staleness_s": 30}')
    await ask(any_redis, member_of("HK.00700", "b"), 30, '{"weight": 1, "max_staleness_s": 10}')
    await ask(any_redis, member_of("HK.00700", "gone"), -1, '{"weight": 99, "max_staleness_s": 1}')
    await ask(any_redis, member_of("HK.00005", "gone"), -1, "{}")
    await any_redis.hset(KEYS.interest_want, member_of("HK.00001", "c"), "{}")
    asked = await Interest(any_redis, KEYS).read()
    assert asked.wants == {"HK.00700": Want(weight=2, max_staleness_s=10)}
    assert asked.subscribers == {"HK.00700": 2}


async def test_a_malformed_member_harms_no_other(any_redis: Redis) -> None:
    """Bad codes are refused with the reason; a want that cannot be read is the default one."""
    for member in ("US.AAPL|a", "HK.00005", "|", "\udcff|a".encode(errors="surrogateescape").decode("latin-1")):
        await ask(any_redis, member, 30)
    await ask(any_redis, member_of("HK.00700", "a"), 30, "no json")
    await ask(any_redis, member_of("HK.00001", "a"), 30)
    asked = await Interest(any_redis, KEYS).read()
    assert asked.wants == {"HK.00700": Want(), "HK.00001": Want()}
    assert {"US.AAPL", "HK.00005", ""} <= asked.refused.keys()
    assert "only Hong Kong" in asked.refused["US.AAPL"]
    assert len(asked.refused) == 4


async def test_no_more_members_are_read_than_the_bound(any_redis: Redis) -> None:
    """And that it was hit is known."""
    for number in range(4):
        await ask(any_redis, member_of(f"HK.{number:05}", "a"), 30 + number)
    asked = await Interest(any_redis, KEYS, most_members=3).read()
    assert (len(asked.wants), asked.is_cut) == (3, True)
    assert not (await Interest(any_redis, KEYS, most_members=4).read()).is_cut


async def test_only_what_expired_long_ago_is_swept(any_redis: Redis) -> None:
    """From both keys, however much there is of it; the rest stays for whoever renews late."""
    await any_redis.zadd(KEYS.interest, {f"HK.00001|{number}": number for number in range(2500)})
    await any_redis.hset(KEYS.interest_want, mapping={f"HK.00001|{number}": "{}" for number in range(2500)})
    await ask(any_redis, member_of("HK.00700", "late"), -30, "{}")
    await ask(any_redis, member_of("HK.00700", "live"), 30, "{}")
    assert await Interest(any_redis, KEYS).sweep() == 2500
    left = {b"HK.00700|late", b"HK.00700|live"}
    assert set(await any_redis.zrange(KEYS.interest, 0, -1)) == left
    assert set(await any_redis.hkeys(KEYS.interest_want)) == left
    assert await Interest(any_redis, KEYS).sweep() == 0


async def test_operators_and_subscribers_are_served_together(any_redis: Redis) -> None:
    """The union of codes; of one code that both want, the stronger want; refused is only what nobody can have."""
    watch = WatchList(any_redis, KEYS)
    await watch.add("HK.00700", Want(weight=3))
    await watch.add("HK.00005", Want())
    await any_redis.hset(KEYS.watch, "HK.00001", '{"weight": -1}')
    await ask(any_redis, member_of("HK.00700", "a"), 30, '{"max_staleness_s": 5}')
    await ask(any_redis, member_of("HK.00001", "a"), 30)
    await ask(any_redis, "HK.00005", 30)
    await ask(any_redis, "nonsense|a", 30)
    wanted = await watch.wanted()
    assert wanted.wants == {"HK.00700": Want(weight=3, max_staleness_s=5), "HK.00005": Want(), "HK.00001": Want()}
    assert wanted.refused.keys() == {"nonsense"}
