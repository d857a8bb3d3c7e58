"""Metrics and health over HTTP: `/metrics` for Prometheus, `/health` for whoever restarts what is unwell.

A thread of its own answers, but looks at the workers in their event loop: a loop that does not come round is unwell.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

from brokertape.workers.errors import EndpointError
from brokertape.workers.figures import Figures, no_figures
from brokertape.workers.health import Observed, report

LOOK_TIMEOUT_S = 5.0
REQUEST_TIMEOUT_S = 5.0

Address = tuple[str, int]
Answer = tuple[int, str, bytes]  # status, content type, body


@asynccontextmanager
async def serve_endpoint(
    address: Address | None, observed: Sequence[Observed], figures: Figures = no_figures
) -> AsyncIterator[Address | None]:
    """Serve inside the block, at `(host, port)`; port 0 takes any free one. None serves nowhere.

    `figures` gives what is counted besides what every worker counts.

    Raises:
        EndpointError: It cannot be listened on, or the extra `metrics` is not installed.
    """
    if address is None:
        yield None
        return
    server = _listen(address, _Looker(asyncio.get_running_loop(), observed, figures))
    thread = threading.Thread(target=server.serve_forever, name="brokertape-endpoint", daemon=True)
    thread.start()
    try:
        yield str(server.server_address[0]), int(server.server_address[1])
    finally:
        await asyncio.to_thread(server.shutdown)
        server.server_close()


def _listen(address: Address, looker: "_Looker") -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"looker": looker})
    try:
        server = ThreadingHTTPServer(address, handler)
    except (OSError, OverflowError) as error:
        raise EndpointError(f"cannot serve metrics at {address[0]}:{address[1]}: {error}") from error
    server.daemon_threads = True
    return server


class _Looker:
    """Asks the workers' event loop, from another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, observed: Sequence[Observed], figures: Figures) -> None:
        try:
            from brokertape.workers import metrics
        except ImportError as error:
            raise EndpointError("metrics need the extra `metrics`: pip install 'brokertape[metrics]'") from error
        self._metrics = metrics
        self._loop = loop
        self._observed = observed
        self._figures = figures

    def answer(self, path: str) -> Answer:
        """To a GET of `path`."""
        try:
            return asyncio.run_coroutine_threadsafe(self._answer(path), self._loop).result(LOOK_TIMEOUT_S)
        except NoAnswer:
            return 503, "text/plain", b"the event loop does not come round\n"

    async def _answer(self, path: str) -> Answer:
        match path:
            case "/metrics":
                return 200, self._metrics.CONTENT_TYPE, self._metrics.render(self._observed, self._figures())
            case "/health":
                health = report(self._observed, time.monotonic())
                return 200 if health["is_healthy"] else 503, "application/json", json.dumps(health).encode() + b"\n"
            case _:
                return 404, "text/plain", b"there are /metrics and /health\n"


class _Handler(BaseHTTPRequestHandler):
    looker: ClassVar[_Looker]
    timeout = REQUEST_TIMEOUT_S

    def do_GET(self) -> None:
        status, content_type, body = self.looker.answer(self.path.partition("?")[0])
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Requests are no news."""
