"""A receiver of webhooks that checks signatures, and fails, hangs or refuses as it is told."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks.webhooks import Webhook

SECRET = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


class WebhookReceiver(ThreadingHTTPServer):
    """On a free port. `bodies` has what came, by id, every time it came; `accepted` what was answered 200, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mood = "well"
        """`well`; `failing` answers 503, `hanging` not at all, `refusing` 400; or ids that are refused."""
        self.refused: frozenset[str] = frozenset()
        self.bodies: dict[str, list[bytes]] = {}
        self.accepted: list[str] = []
        self.forged = 0
        self.lock = threading.Lock()
        self.well_again = threading.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook"

    def recover(self) -> None:
        """All is well from here on."""
        self.mood = "well"
        self.well_again.set()

    def events(self) -> list[dict[str, Any]]:
        """What was accepted, each once, in the order of its first time."""
        return [json.loads(self.bodies[one][0]) for one in dict.fromkeys(self.accepted)]


class _Handler(BaseHTTPRequestHandler):
    server: WebhookReceiver

    def do_POST(self) -> None:
        receiver = self.server
        length = int(self.headers["content-length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the sender was killed in the middle of it
            return
        try:
            Webhook(SECRET).verify(body, dict(self.headers))
        except Exception:
            receiver.forged += 1
            raise
        message_id = str(self.headers["webhook-id"])
        with receiver.lock:
            receiver.bodies.setdefault(message_id, []).append(body)
            mood = receiver.mood
        if mood == "hanging":
            receiver.well_again.wait(60)
            return
        status = {"well": 200, "failing": 503, "refusing": 400}[mood]
        if message_id in receiver.refused:
            status = 400
        with receiver.lock:
            if status == 200:
                receiver.accepted.append(message_id)
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Requests are no news."""


@contextmanager
def receiving() -> Iterator[WebhookReceiver]:
    """One inside the block."""
    receiver = WebhookReceiver()
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.well_again.set()
        receiver.shutdown()
        receiver.server_close()
