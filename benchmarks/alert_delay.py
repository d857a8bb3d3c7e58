"""From an event on the tape to the request at a webhook, in another process: what an alert costs in time.

One rule that fires on every event, one sink, one event after the other, 100 ms apart. Redis keeps everything on disk,
as it should. The floor is a bare client that reads the tape in a consumer group and posts the payload.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2

from brokertape.cli.redis_server import RedisServer, die_with_parent
from brokertape.tape.connection import connect
from brokertape.tape.keys import Keys
from brokertape.workers import WorkerSettings
from brokertape.workers.alerts.alerting import AlertSettings, alert
from brokertape.workers.process import settle_memory

if __name__ != "__main__":  # what only publishes is not needed by who is measured
    from support.scripted_day import ScriptedDay
    from support.tape_factory import create_tape, publish

GROUP = "alerts"
EVERY_S = 0.1
RULES = """
[[rule]]
name = "any"
when = "flow_known && flow.net_vol > 0"
[[sink]]
name = "hook"
kind = "webhook"
url = "{url}"
per_minute = 100000
"""


class _Receiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.came_at: list[float] = []
        self.came = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Receiver
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.server.came_at.append(time.perf_counter())
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
        self.server.came.set()

    def log_message(self, *_: object) -> None:
        pass


async def by_hand(redis_url: str, webhook_url: str) -> None:
    """The loop that somebody would write: read, post, acknowledge."""
    client, tapes = connect(redis_url), Keys().tapes()
    for tape in tapes:
        await client.xgroup_create(tape, GROUP, "$", mkstream=True)
    async with httpx2.AsyncClient() as http:
        while True:
            reply: Any = await client.xreadgroup(GROUP, "me", dict.fromkeys(tapes, ">"), block=1000)
            for stream, entries in dict(reply).items():
                for entry_id, fields in entries:
                    await http.post(webhook_url, content=fields[b"payload"])
                    await client.xack(stream, GROUP, entry_id)


async def ours(redis_url: str, rules: str) -> None:
    """The alerting worker."""
    settings = AlertSettings(
        redis_url=redis_url, rules=Path(rules), late_after_s=1e9, worker=WorkerSettings(group=GROUP, lease_s=1.0)
    )
    await alert(settings, asyncio.Event())


async def delays(redis_url: str, receiver: _Receiver, count: int) -> list[float]:
    """Of so many events, in s, after some to warm up."""
    client, day, keys = connect(redis_url), ScriptedDay(), Keys()
    for tape in keys.tapes():
        while not await client.exists(tape) or not await client.xinfo_groups(tape):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await publish(client, keys, [day.trade("UBS", buy=100).baseline()])
    found: list[float] = []
    for number in range(count + 20):
        await asyncio.sleep(EVERY_S)
        receiver.came.clear()
        event = day.trade("UBS", buy=100).poll()
        began = time.perf_counter()
        await publish(client, keys, [event])
        await asyncio.to_thread(receiver.came.wait, 30)
        if number >= 20:
            found.append(receiver.came_at[-1] - began)
    await client.aclose()
    return sorted(found)


def measured(way: str, count: int) -> Sequence[float]:
    """One way on a server of its own."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bt")))
        server = stack.enter_context(RedisServer(directory / "r"))
        asyncio.run(_create(server.url))
        receiver = _Receiver()
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        stack.callback(receiver.shutdown)
        url = f"http://127.0.0.1:{receiver.server_address[1]}/"
        (directory / "rules.toml").write_text(RULES.format(url=url))
        where = url if way == "by_hand" else str(directory / "rules.toml")
        command = [sys.executable, __file__, way, server.url, where]
        process = subprocess.Popen(command, env=dict(os.environ), preexec_fn=die_with_parent)
        try:
            return asyncio.run(delays(server.url, receiver, count))
        finally:
            process.kill()
            process.wait()


async def _create(redis_url: str) -> None:
    client = connect(redis_url)
    await create_tape(client)
    await client.aclose()


def run(count: int) -> None:
    """The table."""
    found = {way: measured(way, count) for way in ("by_hand", "ours")}
    print(f"\nalerts: from event to webhook request, {count} events")
    print(f"{'':>24} {'p50 ms':>8} {'p99 ms':>8}")
    for way, name in (("by_hand", "read and post by hand"), ("ours", "brokertape alert")):
        p50, p99 = (found[way][min(count - 1, int(count * share))] * 1e3 for share in (0.5, 0.99))
        print(f"{name:>24} {p50:>8.1f} {p99:>8.1f}")


if __name__ == "__main__":
    settle_memory()
    asyncio.run({"by_hand": by_hand, "ours": ours}[sys.argv[1]](*sys.argv[2:]))
