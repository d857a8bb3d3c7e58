"""Runs in a process of its own: keeps the frames of broker tables that the vendor's SDK gives, types and all.

Arguments: a JSON file (`port`, `tables` as [code, days before]), a file for the pickled list of frames.
"""

import importlib
import json
import pickle
import sys
from pathlib import Path
from typing import Any

CONNECT_TIMEOUT_S = 20.0


def main() -> None:
    """Ask for every table."""
    job, results = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    futu: Any = importlib.import_module("futu")
    futu.SysConfig.set_all_thread_daemon(True)
    futu.SysConfig.enable_console_log(False)
    context = futu.OpenQuoteContext("127.0.0.1", job["port"])
    context.set_sync_query_connect_timeout(CONNECT_TIMEOUT_S)
    given = [context.get_top_ten_buy_sell_brokers(*table) for table in job["tables"]]
    assert {ret for ret, _ in given} == {futu.RET_OK}, given
    results.write_bytes(pickle.dumps([frame for _, frame in given]))
    context.close()


if __name__ == "__main__":
    main()
