"""Publishers that race, freeze and outlive their Redis: the tape tells the gateway's truth, once."""

import asyncio
import copy
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from brokertape.cli.redis_server import RedisServer
from support.stand import CODES, LIMIT, REST_TIMEOUT_S, Stand, kill, stand, stop
from support.tape_checker import faults, final_faults, read_answers, read_tape
from support.waiting import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


async def test_two_publishers_on_the_same_codes_are_one_tape(redis_server: RedisServer, short_dir: Path) -> None:
    """Of one name they share no codes, but race for all of them on one budget; whoever loses a race drops its reply."""
    async with stand(short_dir, redis_server) as place:
        both = [await place.start_publisher("twin") for _ in range(2)]
        await place.polls(200)
        await stop(both[0])
        await place.polls(3 * len(CODES))
        await place.come_to_rest()
        await stop(both[1])
        place.check(least_events=100)


@pytest.mark.parametrize("frozen_s", [10, pytest.param(60, marks=pytest.mark.soak)])
async def test_a_frozen_publisher_overwrites_nothing_newer(
    redis_server: RedisServer, short_dir: Path, frozen_s: int
) -> None:
    """SIGSTOP in mid-poll, another works on, SIGCONT: the old answer loses."""
    async with stand(short_dir, redis_server) as place:
        frozen = await place.start_publisher("frozen")
        await place.polls(40)
        frozen.send_signal(signal.SIGSTOP)
        other = await place.start_publisher("other")
        await asyncio.sleep(frozen_s)
        frozen.send_signal(signal.SIGCONT)
        await place.polls(3 * len(CODES))
        await stop(frozen)
        await place.polls(2 * len(CODES))
        await place.come_to_rest()
        await stop(other)
        place.check(least_events=60)


async def test_no_id_carries_two_payloads_over_a_rollback(redis_server: RedisServer, short_dir: Path) -> None:
    """Redis goes back to an older file while no publisher lives; a new one starts a new epoch for every code."""
    async with stand(short_dir, redis_server) as place:
        first = await place.start_publisher("first")
        await place.polls(60)
        saved = copy_of_aof(redis_server.directory)
        await place.polls(60)
        await kill(first)
        seen = {event["id"]: event for events in read_tape(place.client).values() for event in events}
        redis_server.kill()
        restore_aof(redis_server.directory, saved)
        redis_server.start()
        rolled_back = {event["id"] for events in read_tape(place.client).values() for event in events}
        assert rolled_back < seen.keys()
        second = await place.start_publisher("second")
        await place.polls(40)
        await place.come_to_rest()
        await stop(second)
        tape = read_tape(place.client)
        for event in (event for events in tape.values() for event in events):
            assert seen.get(event["id"], event) == event
        assert {events[-1]["data"]["epoch"] > seen_epoch(seen, code) for code, events in tape.items()} == {True}
        place.check(least_events=60)


def seen_epoch(seen: dict[str, Any], code: str) -> int:
    """The highest epoch of a code before the rollback."""
    return max(int(event["data"]["epoch"]) for event in seen.values() if event["subject"] == code)


def copy_of_aof(directory: Path) -> dict[Path, bytes]:
    """The append-only file, whatever its parts are called."""
    return {path: path.read_bytes() for path in directory.rglob("*") if "aof" in path.name and path.is_file()}


def restore_aof(directory: Path, saved: dict[Path, bytes]) -> None:
    """Put the older file back."""
    for path in copy_of_aof(directory):
        path.unlink()
    for path, content in saved.items():
        path.write_bytes(content)


async def test_a_limiter_set_to_31_is_caught(redis_server: RedisServer, short_dir: Path) -> None:
    """The check that finds no violation elsewhere finds them here."""
    async with stand(short_dir, redis_server) as place:
        greedy = await place.start_publisher("greedy", "--limit", "31")
        # Thirty of its 31 take nearly the whole window: one that a busy machine holds up breaks no limit.
        await until(lambda: place.gateway.violations(LIMIT, place.window_s), timeout_s=120)
        await kill(greedy)


async def test_the_checker_sees_what_is_planted(redis_server: RedisServer, short_dir: Path) -> None:
    """A doubled event, a missing one, an altered row and a stale end are each found."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("p")
        await place.polls(5 * len(CODES))
        await place.come_to_rest()
        await stop(publisher)
        tape, answers = read_tape(place.client), read_answers(place.log)
    assert faults(tape, answers) == final_faults(tape, answers) == []
    code = max(tape, key=lambda code: len(tape[code]))
    middle = len(tape[code]) // 2
    plants: list[Callable[[Any], Any]] = [
        lambda events: events.insert(middle, events[middle]),
        lambda events: events.pop(middle),
        lambda events: events[0]["data"]["rows"][0].__setitem__("total_vol", 1.0),
    ]
    for plant in plants:
        planted = copy.deepcopy(tape)
        plant(planted[code])
        assert faults(planted, answers) != []
    planted = copy.deepcopy(tape)
    planted[code].pop()
    assert final_faults(planted, answers) != []


async def test_a_redis_that_dies_and_returns_costs_nothing(redis_server: RedisServer, short_dir: Path) -> None:
    """What was acknowledged is still there, every code goes on in a new epoch, and the limit holds all the while."""
    async with stand(short_dir, redis_server) as place:
        publisher = await place.start_publisher("p")
        await place.polls(4 * len(CODES))
        await until_begun(place, epochs=1)
        acknowledged = ids_of(place)
        redis_server.kill()
        await asyncio.sleep(1)
        redis_server.start()
        assert acknowledged <= ids_of(place)
        await place.polls(4 * len(CODES))
        await until_begun(place, epochs=2)
        await place.come_to_rest()
        await stop(publisher)
        place.check(least_events=4 * len(CODES))
        assert reasons(place) == {code: ["first_seen", "server_changed"] for code in CODES}


def ids_of(place: Stand) -> set[str]:
    """The ids of all events on the tape."""
    return {event["id"] for events in read_tape(place.client).values() for event in events}


async def until_begun(place: Stand, *, epochs: int) -> None:
    """Until every code has begun so many; on a busy machine one may fail, and is asked again after a minute."""
    async with asyncio.timeout(REST_TIMEOUT_S):
        while min(len(reasons(place).get(code, ())) for code in CODES) < epochs:
            await place.polls(len(CODES))


def reasons(place: Stand) -> dict[str, list[str]]:
    """Code → why each of its epochs began."""
    told = {code: [event["data"].get("reason") for event in events] for code, events in read_tape(place.client).items()}
    return {code: [reason for reason in of_code if reason] for code, of_code in told.items()}
