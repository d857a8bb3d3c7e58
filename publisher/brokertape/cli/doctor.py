"""`brokertape doctor`: what is wrong with gateway, Redis and clocks, and what to do."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial

from rich.console import Console

from brokertape.cli.check import Check, Verdict, any_failed
from brokertape.cli.faults import OK, UNHEALTHY
from brokertape.cli.gateway_checks import gateway_checks
from brokertape.cli.gateway_link import gateway_settings
from brokertape.cli.publish import account_of, budget_of
from brokertape.cli.redis_checks import redis_checks
from brokertape.cli.redis_link import open_redis
from brokertape.cli.settings import Settings
from brokertape.gateway.client import GatewayClient
from brokertape.publisher.budget import Budget
from brokertape.tape.connection import RedisClient, redact, store_errors
from brokertape.tape.errors import StoreError


async def doctor(settings: Settings) -> int:
    """Look at everything, a line each; 1 if something is wrong."""
    console = Console(soft_wrap=True)
    checks = []
    async for check in _checks(settings):
        console.print(check.line())
        checks.append(check)
    return UNHEALTHY if any_failed(checks) else OK


async def _checks(settings: Settings) -> AsyncIterator[Check]:
    target = gateway_settings(settings.gateway)
    where = redact(settings.redis.url.get_secret_value())
    budget: Callable[[GatewayClient], Budget] | None = None
    async with AsyncExitStack() as stack:
        try:
            redis = await stack.enter_async_context(open_redis(settings.redis))
        except StoreError as error:
            yield Check("Redis", Verdict.FAILED, str(error), "start it, or set redis.url; then publishers can run")
        else:
            yield Check("Redis", Verdict.OK, f"{where} answers")
            async for check in redis_checks(redis, settings.redis):
                yield check
            with store_errors():
                tape_existed = bool(await redis.exists(settings.redis.keys.meta))
            budget = partial(_budget, settings, redis, tape_existed)
        async for check in gateway_checks(target, budget):
            yield check


def _budget(settings: Settings, redis: RedisClient, tape_existed: bool, gateway: GatewayClient) -> Budget:
    return budget_of(settings, redis, account_of(settings, redis, gateway), tape_existed=tape_existed)
