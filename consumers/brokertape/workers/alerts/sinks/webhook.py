"""Alerts to a URL: each a POST of one CloudEvent in JSON, signed as Standard Webhooks has it."""

import asyncio
import time
from urllib.parse import quote

import httpx2

from brokertape.tape.codec import dump
from brokertape.workers.alerts.sinks.message import Message, Refused
from brokertape.workers.alerts.sinks.signing import headers
from brokertape.workers.errors import SinkUnavailable

CONTENT_TYPE = "application/cloudevents+json"
_ID_CHARACTERS = "/:._-~"  # of an alert's id that stay as they are in a header


class WebhookSink:
    """Posts to `url`; `name` is what errors call it, for the URL may hold secrets.

    A message is confirmed by an answer of 2xx that comes in time. No answer, 408, 429 and 5xx are troubles that pass;
    any other answer refuses the message.
    """

    def __init__(self, url: str, *, name: str, key: bytes | None, timeout_s: float) -> None:
        self._url = url
        self._name = name
        self._key = key
        self._timeout_s = timeout_s
        self._client = httpx2.AsyncClient(timeout=timeout_s, follow_redirects=False)

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        body = dump(message.told)
        signed = headers(self._key, quote(message.id, safe=_ID_CHARACTERS), int(time.time()), body)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(body, {**signed, "content-type": CONTENT_TYPE})
        except (httpx2.HTTPError, TimeoutError) as error:
            raise SinkUnavailable(f"sink {self._name}: {type(error).__name__}") from error
        if status in (408, 429) or status >= 500:
            raise SinkUnavailable(f"sink {self._name}: it answers {status}")
        if not 200 <= status < 300:
            raise Refused(f"sink {self._name}: it answers {status}")

    async def _post(self, body: bytes, sent: dict[str, str]) -> int:
        """The status of the answer; whatever else it says is not read."""
        async with self._client.stream("POST", self._url, content=body, headers=sent) as answer:
            return int(answer.status_code)

    async def close(self) -> None:
        """Its connections."""
        await self._client.aclose()
