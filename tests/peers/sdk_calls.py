"""Runs in a process of its own: makes calls with the vendor's SDK and writes down what it gives.

Arguments: a JSON file that says what to do, a JSON file for the results. The SDK blocks, replaces signal handlers,
logs under HOME and cannot be imported next to anything that must stay as it is.
"""

import importlib
import json
import sys
import threading
from pathlib import Path
from typing import Any

CONNECT_TIMEOUT_S = 20.0
PUSH_TIMEOUT_S = 20.0


def main() -> None:
    """Do what the first file says."""
    job, results = json.loads(Path(sys.argv[1]).read_text()), Path(sys.argv[2])
    futu: Any = importlib.import_module("futu")
    futu.SysConfig.set_all_thread_daemon(True)
    futu.SysConfig.enable_console_log(False)
    if job["rsa_key_file"]:
        futu.SysConfig.set_init_rsa_file(job["rsa_key_file"])
        futu.SysConfig.enable_proto_encrypt(job["is_encrypted"])
    context = futu.OpenQuoteContext("127.0.0.1", job["port"])
    context.set_sync_query_connect_timeout(CONNECT_TIMEOUT_S)
    pushes = Pushes(job["pushes"])
    context.set_handler(pushes.handler(futu, "StockQuoteHandlerBase"))
    context.set_handler(pushes.handler(futu, "SysNotifyHandlerBase"))
    given = [call(context, *one) for one in job["calls"]]
    pushes.arrived.wait(PUSH_TIMEOUT_S)
    results.write_text(json.dumps({"results": given, "pushes": pushes.kept}))
    context.close()


class Pushes:
    """What is pushed, until `wanted` have come."""

    def __init__(self, wanted: int) -> None:
        self.kept: list[Any] = []
        self.arrived = threading.Event()
        self._wanted = wanted
        self._check()

    def handler(self, futu: Any, base_name: str) -> Any:
        """A handler of the SDK's that keeps what it parses."""
        base, keep = getattr(futu, base_name), self._keep

        def on_recv_rsp(self: Any, rsp_pb: Any) -> Any:
            given = base.on_recv_rsp(self, rsp_pb)
            keep([base_name, *map(plain, given)])
            return given

        return type("Handler", (base,), {"on_recv_rsp": on_recv_rsp})()

    def _keep(self, push: list[Any]) -> None:
        self.kept.append(push)
        self._check()

    def _check(self) -> None:
        if len(self.kept) >= self._wanted:
            self.arrived.set()


def call(context: Any, method: str, *arguments: Any) -> list[Any]:
    """The SDK's two results: 0 and data, or -1 and a text."""
    return [plain(value) for value in getattr(context, method)(*arguments)]


def plain(value: Any) -> Any:
    """As JSON takes it: a frame as columns and rows, numpy's numbers as Python's."""
    if hasattr(value, "columns"):
        rows = [[plain(item) for item in row] for row in value.itertuples(index=False)]
        return {"columns": list(value.columns), "rows": rows}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    main()
