"""How much of an account's request window is taken, on the clock of the Redis that keeps it."""

from brokertape.cli.settings import BudgetGroup
from brokertape.tape.connection import RedisClient, Script, store_errors
from brokertape.tape.keys import Keys

_COUNT = Script(
    "local time = redis.call('TIME')\n"
    "local above = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1])\n"
    "return redis.call('ZCOUNT', KEYS[1], '(' .. string.format('%d', above), '+inf')"
)


async def budget_used(client: RedisClient, keys: Keys, account: str, settings: BudgetGroup) -> int:
    """How many requests of `account` count now. Raises StoreError."""
    span_ms = round((settings.window_s + settings.margin_s) * 1000)
    with store_errors():
        return int(await _COUNT.run(client, [keys.budget(account)], [span_ms]))
