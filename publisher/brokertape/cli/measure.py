"""`brokertape doctor --measure`: asking a real gateway what its documents leave open, in slots of the budget.

To learn what a refusal is like, the limit has to be passed, knowingly and by a few requests, with the whole window
in our own hands: no publisher of the account may be running, and none is granted a slot meanwhile.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from rich.console import Console

from brokertape.cli import findings
from brokertape.cli.budget_use import budget_used
from brokertape.cli.faults import OK
from brokertape.cli.findings import Answer, Finding
from brokertape.cli.gateway_link import gateway_settings
from brokertape.cli.publish import account_of, budget_of
from brokertape.cli.redis_link import open_redis
from brokertape.cli.settings import Settings
from brokertape.gateway.client import GatewayClient
from brokertape.gateway.errors import GatewayError, OverBudget
from brokertape.gateway.values import TopTenBrokers
from brokertape.publisher.budget import Slot
from brokertape.publisher.leases import live_publishers
from brokertape.tape.connection import RedisClient, store_errors

BUSY_CODES = ("HK.00700", "HK.09988", "HK.03690", "HK.01810", "HK.00005")
UNKNOWN_CODE = "HK.99999"
KNOWINGLY_OVER = 3
FAILURES = 3
LOOK_EVERY_S = 0.1


async def measure(settings: Settings, *, seconds: float, code: str | None, second: str | None) -> int:
    """Ask all seven questions and print what to set.

    Args:
        settings: Which gateway, and whose budget.
        seconds: How long one table is watched.
        code: Whose; a busy one by default.
        second: `HOST:PORT` of another gateway of the account.

    Raises:
        NotConnected: The gateway does not let us in: see `brokertape doctor`.
    """
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"measuring gateway {settings.gateway.address}: {_duration(settings, seconds)}", style="dim")
    async with open_redis(settings.redis) as redis, GatewayClient(gateway_settings(settings.gateway)) as gateway:
        await gateway.wait_connected(2 * settings.gateway.connect_timeout_s)
        with store_errors():
            tape_existed = bool(await redis.exists(settings.redis.keys.meta))
        examiner = Examiner(settings, redis, gateway, tape_existed=tape_existed)
        for finding in await examiner.examine(seconds, code or BUSY_CODES[0], second):
            console.print(finding.lines(), markup=False)
    return OK


def _duration(settings: Settings, seconds: float) -> str:
    total_s = seconds + 5 * settings.budget.window_s
    return f"about {total_s / 60:.0f} minutes" if total_s > 90 else f"about {total_s:.0f} s"


@dataclass(frozen=True, slots=True)
class _Refusals:
    """What a window of our own taught: the order of replies, and what came of passing the limit."""

    order: Sequence[int] = ()
    refused_later: int | None = None
    failed_count: bool | None = None
    second: TopTenBrokers | GatewayError | None = None


class Examiner:
    """Asks one gateway; keeps every answer."""

    def __init__(self, settings: Settings, redis: RedisClient, gateway: GatewayClient, *, tape_existed: bool) -> None:
        self._settings = _unpaced(settings)
        self._redis = redis
        self._gateway = gateway
        self._tape_existed = tape_existed
        self._account = account_of(settings, redis, gateway)
        self._budget = budget_of(self._settings, redis, self._account, tape_existed=tape_existed)
        self._limit = settings.budget.limit
        self._answers: list[Answer] = []
        self._sent = 0

    async def examine(self, seconds: float, code: str, second: str | None) -> list[Finding]:
        """The seven findings."""
        state = (await self._gateway.global_state()).market_hk
        watched = await self._watch(code, seconds)
        refusals = await self._pass_limit(second) if await self._is_alone() else _Refusals()
        return [
            findings.cadence(watched),
            findings.calls_that_count(refusals.refused_later, refusals.failed_count),
            findings.shared_budget(second, refusals.second),
            findings.refusal_texts(self._answers),
            findings.names(self._answers),
            findings.in_state(watched, state),
            findings.reply_order(refusals.order),
        ]

    async def _watch(self, code: str, seconds: float) -> list[Answer]:
        """One code, as often as the budget allows."""
        first = len(self._answers)
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await self._ask_in(await self._budget.acquire(), code)
            await asyncio.sleep(self._settings.budget.window_s / self._limit)
        return self._answers[first:]

    async def _burst(self, count: int) -> list[int]:
        """Requests in flight together: their numbers in the order of the answers."""
        slots = [await self._budget.acquire() for _ in range(count)]
        first = len(self._answers)
        codes = itertools.cycle(BUSY_CODES)
        await asyncio.gather(*(self._ask_in(slot, next(codes)) for slot in slots))
        return [answer.number for answer in self._answers[first:]]

    async def _is_alone(self) -> bool:
        account = await self._account.name()
        peers = await live_publishers(self._redis, self._settings.redis.keys)
        return all(peer.account != account for peer in peers)

    async def _pass_limit(self, second: str | None) -> _Refusals:
        await self._empty_window()
        order = await self._burst(self._limit)
        refused_later = await self._refused_after_refusals()
        failed_count, outcome = await self._refused_after_failures(second)
        return _Refusals(order, refused_later, failed_count, outcome)

    async def _refused_after_refusals(self) -> int | None:
        """How many of a window's requests are refused when some before it were; None if the limit was not met.

        The window is full when it begins.
        """
        # Half a window on, so that they, if they count, still do when the others no longer do.
        await asyncio.sleep(self._settings.budget.window_s / 2)
        over = [await self._ask(BUSY_CODES[0]) for _ in range(KNOWINGLY_OVER)]
        if not _refused(over):
            return None
        first = len(self._answers)
        await self._empty_window()
        await self._burst(self._limit)
        return _refused(self._answers[first:])

    async def _refused_after_failures(self, second: str | None) -> tuple[bool, TopTenBrokers | GatewayError | None]:
        """Whether failed requests fill the window; and what a second gateway answers once this one refuses."""
        # A new one: what was refused on purpose is nothing to back off from.
        self._budget = budget_of(self._settings, self._redis, self._account, tape_existed=self._tape_existed)
        await self._empty_window()
        async with AsyncExitStack() as held:
            # Settled together at the end, after the requests that pass the limit.
            for _ in range(self._limit):
                await held.enter_async_context(await self._budget.acquire())
            for number in range(self._limit):
                await self._ask(UNKNOWN_CODE if number < FAILURES else BUSY_CODES[number % len(BUSY_CODES)])
            failed_count = bool(_refused([await self._ask(BUSY_CODES[0])]))
            is_refused = failed_count or bool(_refused([await self._ask(BUSY_CODES[0]) for _ in range(FAILURES)]))
            return failed_count, await self._ask_second(second) if second and is_refused else None

    async def _ask_second(self, address: str) -> TopTenBrokers | GatewayError:
        """One answer of another gateway, from a budget of its own."""
        settings = self._settings.model_copy(
            update={
                "gateway": self._settings.gateway.model_copy(update={"address": address}),
                "publish": self._settings.publish.model_copy(update={"account": address}),
            }
        )
        try:
            async with GatewayClient(gateway_settings(settings.gateway)) as gateway:
                account = account_of(settings, self._redis, gateway)
                budget = budget_of(settings, self._redis, account, tape_existed=self._tape_existed)
                await gateway.wait_connected(settings.gateway.connect_timeout_s)
                async with await budget.acquire():
                    return await gateway.top_ten_brokers(BUSY_CODES[0])
        except GatewayError as error:
            return error

    async def _empty_window(self) -> None:
        """Wait until every slot of the account is free, and with them the gateway's window."""
        settings = self._settings
        # Slots run out without a word: there is nothing to wait for but time.
        account = await self._account.name()
        while await budget_used(self._redis, settings.redis.keys, account, settings.budget):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY_S)

    async def _ask_in(self, slot: Slot, code: str) -> None:
        # Left with an answer or a refusal it counts from then; without one, from its timeout.
        with contextlib.suppress(GatewayError):
            async with slot:
                answer = await self._ask(code)
                if isinstance(answer.outcome, GatewayError):
                    raise answer.outcome

    async def _ask(self, code: str) -> Answer:
        self._sent += 1
        number, sent_s = self._sent, time.time()
        outcome: TopTenBrokers | GatewayError
        try:
            outcome = await self._gateway.top_ten_brokers(code)
        except GatewayError as error:
            outcome = error
        answer = Answer(number, code, sent_s, time.time(), outcome)
        self._answers.append(answer)
        return answer


def _refused(answers: Sequence[Answer]) -> int:
    return sum(isinstance(answer.outcome, OverBudget) for answer in answers)


def _unpaced(settings: Settings) -> Settings:
    """The same budget, spent as quickly as asked for."""
    budget = settings.budget.model_copy(update={"pace_requests": settings.budget.limit, "pace_window_s": 0.001})
    return settings.model_copy(update={"budget": budget})
