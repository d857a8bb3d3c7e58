"""An ordered worker as a process of its own, for tests that kill and freeze it.

    python -m support.ordered_process REDIS_URL CONSUMER

Its sink is a list in Redis: for every event it writes down that it began and, a moment later, that it ended. A line is
`<consumer> <fence> <code> <seq> begin|end`. The sink refuses fences lower than it has seen of a partition, and counts
them.
"""

import asyncio
import sys
from collections.abc import Sequence

from brokertape.tape.connection import Script, connect
from brokertape.workers import Delivery, worker
from brokertape.workers.errors import SinkUnavailable
from support.forking import Process, start_module

GROUP = "ordered"
LEASE_S = 1.0
LINES = "sink:lines"
REFUSED = "sink:refused"
WORK_S = 0.002

_WRITE = Script("""
local seen = tonumber(redis.call('HGET', KEYS[2], ARGV[1]) or '0')
if tonumber(ARGV[2]) < seen then
  redis.call('INCR', KEYS[3])
  return 0
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('RPUSH', KEYS[1], ARGV[3])
return 1
""")


def start(url: str, consumer: str) -> Process:
    """Start one."""
    return start_module("support.ordered_process", url, consumer)


def main(url: str, consumer: str) -> None:
    """Work until SIGTERM."""
    sink = connect(url)

    async def write(delivery: Delivery, what: str) -> None:
        data = delivery.event.data
        line = f"{consumer} {delivery.fence} {data.code} {data.seq} {what}"
        keys = [LINES, "sink:fences", REFUSED]
        if not await _WRITE.run(sink, keys, [delivery.partition, delivery.fence, line]):
            raise SinkUnavailable("the partition has another owner")  # else it would be acknowledged without effect

    @worker(
        group=GROUP,
        consumer=consumer,
        ordered=True,
        concurrency=64,
        batch_size=10,
        prefetch=64,
        block_ms=50,
        lease_s=LEASE_S,
        upkeep_every_s=0.2,
    )
    async def slowly(batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            await write(delivery, "begin")
            await asyncio.sleep(WORK_S)
            await write(delivery, "end")

    slowly.run(url)


if __name__ == "__main__":
    main(*sys.argv[1:])
