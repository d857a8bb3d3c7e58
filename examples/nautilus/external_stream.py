"""Prints a partition of the tape as NautilusTrader's own reader of external streams takes it, without our package.

It has no rule for joining or for holes: docs/contract.md says what a reader has to do. It begins at this machine's
time. A node's `external_streams` would not pass these messages on to actors, as NautilusTrader wants an envelope of
its own inside a payload; `broker_data.py` is the way to those.
"""

import argparse
import asyncio
import json
from urllib.parse import urlsplit

from nautilus_trader.common import BusMessage
from nautilus_trader.core import UUID4
from nautilus_trader.infrastructure import RedisMessageBusBacking
from nautilus_trader.model import TraderId


def show(message: BusMessage) -> None:
    print(message.topic, message.payload_type, message.payload.decode(), flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", type=urlsplit, help="of the Redis that holds the tape: redis://host:port")
    parser.add_argument("streams", nargs="+", help="as in 'brokertape:{5}:tape'")
    asked = parser.parse_args()
    database = {"type": "redis", "host": asked.url.hostname, "port": asked.url.port or 6379}
    config = json.dumps({"external_streams": asked.streams, "database": database})
    backing = RedisMessageBusBacking(TraderId("READER-001"), UUID4(), config.encode())
    await backing.stream(show)


if __name__ == "__main__":
    asyncio.run(main())
