"""`brokertape dead`: what worker groups gave up on, to be looked at, tried again, or dropped."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from rich.console import Console

from brokertape.cli.faults import OK, UNHEALTHY, SettingsError
from brokertape.cli.redis_link import find_keys, open_redis
from brokertape.cli.settings import Settings
from brokertape.cli.tape_state import read_groups
from brokertape.tape.connection import RedisClient
from brokertape.tape.keys import Keys, check_name
from brokertape.tape.market_time import HKT
from brokertape.tape.wording import plain
from brokertape.workers.dead import DeadLetters, Fate, Letter, LetterId

Act = Callable[[DeadLetters, LetterId], Awaitable[str | None]]


async def show_all(settings: Settings, *, group: str | None, as_json: bool) -> int:
    """Print every dead letter, or those of one group."""
    async with _tape(settings) as (client, keys):
        groups = [group] if group else [found.name for found in await read_groups(client, keys, now=0)]
        found = [(name, letter) for name in groups async for letter in DeadLetters(client, keys, name).all()]
    if as_json:
        print(json.dumps([_as_data(name, letter) for name, letter in found], ensure_ascii=False))  # noqa: T201
    else:
        print("\n".join(_line(*one) for one in found) or "there are no dead letters")  # noqa: T201
    return OK


async def show(settings: Settings, *, group: str, letter: str) -> int:
    """Print one dead letter with its payload; 1 if it is not there."""
    letter_id = LetterId.of(letter)
    async with _letters(settings, group) as letters:
        found = await letters.get(letter_id)
    if found is None:
        return _say(f"{group} has no dead letter {letter_id}")
    print(json.dumps(_as_data(group, found), ensure_ascii=False, indent=2))  # noqa: T201
    return OK


async def retry(settings: Settings, *, group: str, letters: Sequence[str], is_all: bool) -> int:
    """Give letters back to their group; 1 if one could not be."""
    return await _each(settings, group, letters, _retry_one, is_all=is_all, done="given back to the group")


async def drop(settings: Settings, *, group: str, letters: Sequence[str], is_all: bool) -> int:
    """Forget letters for good; 1 if one was not there."""
    return await _each(settings, group, letters, _drop_one, is_all=is_all, done="dropped")


async def _retry_one(letters: DeadLetters, letter_id: LetterId) -> str | None:
    match await letters.retry(letter_id):
        case Fate.REVIVED:
            return None
        case Fate.GONE:
            return "is not there"
        case Fate.PASSED:
            return "cannot be tried again: rules judge the tape in order, and have gone on"
        case Fate.TRIMMED:
            return (
                "cannot be tried again: its entry is no longer on the stream (`brokertape dead show` has its payload)"
            )


async def _drop_one(letters: DeadLetters, letter_id: LetterId) -> str | None:
    return None if await letters.drop(letter_id) else "is not there"


async def _each(settings: Settings, group: str, letters: Sequence[str], act: Act, *, is_all: bool, done: str) -> int:
    if bool(letters) == is_all:
        raise SettingsError("name dead letters as `brokertape dead list` does, or say --all")
    named = [LetterId.of(letter) for letter in letters]
    async with _letters(settings, group) as found:
        ids = [letter.id async for letter in found.all()] if is_all else named
        troubles = {letter_id: trouble for letter_id in ids if (trouble := await act(found, letter_id))}
    for letter_id, trouble in troubles.items():
        _say(f"{letter_id} {trouble}")
    print(f"{len(ids) - len(troubles)} of {len(ids)} {done}")  # noqa: T201
    return UNHEALTHY if troubles else OK


@asynccontextmanager
async def _tape(settings: Settings) -> AsyncIterator[tuple[RedisClient, Keys]]:
    async with open_redis(settings.redis) as client:
        yield client, await find_keys(client, settings.redis)


@asynccontextmanager
async def _letters(settings: Settings, group: str) -> AsyncIterator[DeadLetters]:
    check_name("group", group)
    async with _tape(settings) as (client, keys):
        yield DeadLetters(client, keys, group)


def _say(line: str) -> int:
    Console(stderr=True, soft_wrap=True).print(line, highlight=False, markup=False)
    return UNHEALTHY


def _line(group: str, letter: Letter) -> str:
    attempts = f"{letter.attempts} attempt{'s' * (letter.attempts != 1)}"
    topic = letter.fields.get("topic", "no topic")
    return plain(f"{group}  {letter.id}  {_when(letter)}  {attempts}  {topic}  {letter.error}")


def _when(letter: Letter) -> str:
    return datetime.fromtimestamp(letter.died_at / 1000, HKT).strftime("%Y-%m-%d %H:%M:%S")


def _as_data(group: str, letter: Letter) -> dict[str, Any]:
    return {
        "group": group,
        "letter": str(letter.id),
        "entry_id": letter.entry_id,
        "given_up_at": letter.died_at,
        "attempts": letter.attempts,
        "error": letter.error,
        "consumer": letter.consumer,
        "fields": dict(letter.fields),
    }
