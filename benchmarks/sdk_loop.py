"""The loop of a user of the vendor's SDK: one code after the other, a second's sleep after each reply.

Started by the freshness benchmark, which kills it, as `python sdk_loop.py PORT FILE CODE…`. It appends a JSON line for
every reply: when the call returned (s since 1970), code, 0 or -1, and the rows or the text of a refusal.
"""

import importlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

CONNECT_TIMEOUT_S = 20.0
SLEEP_S = 1.0
SIDES = {1: "buy", 2: "sell"}
COLUMNS = ["buy_sell_type", "broker_name", "net_vol", "avg_price", "total_vol", "total_turnover"]


def replies(port: int, codes: Sequence[str]) -> Iterator[tuple[float, str, int, Any]]:
    """Ask for ever."""
    futu: Any = importlib.import_module("futu")
    futu.SysConfig.set_all_thread_daemon(True)
    futu.SysConfig.enable_console_log(False)
    context = futu.OpenQuoteContext("127.0.0.1", port)
    context.set_sync_query_connect_timeout(CONNECT_TIMEOUT_S)
    for code in cycle(codes):
        ret, data = context.get_top_ten_buy_sell_brokers(code)
        yield time.time(), code, ret, data
        time.sleep(SLEEP_S)


def plain(data: Any) -> Any:
    """The rows of a frame, or the text as it is."""
    if not hasattr(data, "columns"):
        return str(data)
    return [[SIDES[side], *rest] for side, *rest in data[COLUMNS].to_numpy().tolist()] if len(data) else []


def main() -> None:
    """Do as the command line says."""
    port, path, *codes = sys.argv[1:]
    with open(path, "a") as file:
        for at_s, code, ret, data in replies(int(port), codes):
            print(json.dumps([at_s, code, ret, plain(data)]), file=file, flush=True)


if __name__ == "__main__":
    main()
