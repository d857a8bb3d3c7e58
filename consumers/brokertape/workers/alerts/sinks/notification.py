"""Alerts to everything that apprise speaks: Telegram, Slack, mail and many more. Needs the extra `notify`."""

import logging

import apprise

from brokertape.workers.alerts.errors import SinkError
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.errors import SinkUnavailable

MAX_CHARACTERS = 3_500  # Telegram takes 4,096, and splitting would make many of one

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its warnings repeat URLs, which hold secrets


class NotificationSink:
    """One service by its apprise URL. Services do not say why they fail: every failure may pass.

    Raises:
        SinkError: The URL is none that apprise knows.
    """

    def __init__(self, url: str, name: str) -> None:
        self._name = name
        self._services = apprise.Apprise()
        if not self._services.add(url):
            raise SinkError(f"sink {name}: its URL is none that apprise knows")

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        text = message.text
        if len(text) > MAX_CHARACTERS:
            text = f"{text[:MAX_CHARACTERS]}…"
        title = "late alert" if message.is_late else "alert"
        told = self._services.async_notify(
            body=text, title=f"brokertape {title}", body_format=apprise.NotifyFormat.TEXT
        )
        if not await told:
            raise SinkUnavailable(f"sink {self._name}: not delivered")

    async def close(self) -> None:
        """Nothing is held."""
