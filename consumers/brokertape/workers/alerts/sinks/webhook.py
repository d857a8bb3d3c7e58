"""Alerts to a URL: each a POST of one CloudEvent in JSON, signed as Standard Webhooks has it."""

import time
from urllib.parse import quote

from brokertape.tape.codec import dump
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.alerts.sinks.posting import Poster
from brokertape.workers.alerts.sinks.signing import headers

CONTENT_TYPE = "application/cloudevents+json"
_ID_CHARACTERS = "/:._-~"  # of an alert's id that stay as they are in a header


class WebhookSink:
    """Posts, signed with `key` if there is one."""

    def __init__(self, poster: Poster, key: bytes | None) -> None:
        self._poster = poster
        self._key = key

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        body = dump(message.told)
        signed = headers(self._key, quote(message.id, safe=_ID_CHARACTERS), int(time.time()), body)
        await self._poster.post(body, {**signed, "content-type": CONTENT_TYPE})

    async def close(self) -> None:
        """As Sink has it."""
        await self._poster.close()
