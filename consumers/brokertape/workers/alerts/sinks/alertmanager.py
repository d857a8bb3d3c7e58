"""Alerts to Prometheus' Alertmanager, by its API v2 (https://prometheus.io/docs/alerting/latest/alerts_api)."""

from datetime import UTC, datetime, timedelta

import orjson

from brokertape.workers.alerts.event import AlertEvent
from brokertape.workers.alerts.sinks.message import Message
from brokertape.workers.alerts.sinks.posting import Poster

API_PATH = "/api/v2/alerts"
DIGEST_NAME = "brokertape-digest"


class AlertmanagerSink:
    """Each message is an alert there, which ends by itself after `lasts`: what we tell has happened, it does not last.

    Labels: `alertname` is the rule, `alert_id` the message's id (so that a repeat is the same alert), `code`,
    `broker`, and `late` where it is. The text is the annotation `summary`.
    """

    def __init__(self, poster: Poster, lasts: timedelta) -> None:
        self._poster = poster
        self._lasts = lasts

    async def send(self, message: Message, /) -> None:
        """As Sink has it."""
        body = orjson.dumps([self._alert(message)])
        await self._poster.post(body, {"content-type": "application/json"})

    async def close(self) -> None:
        """As Sink has it."""
        await self._poster.close()

    def _alert(self, message: Message) -> dict[str, object]:
        told, now = message.told, datetime.now(UTC)
        labels = {"alertname": DIGEST_NAME, "alert_id": message.id, "late": "true" if message.is_late else ""}
        if isinstance(told, AlertEvent):
            labels |= {"alertname": told.data.rule, "code": told.data.code, "broker": told.data.broker}
        return {
            "labels": {name: value for name, value in labels.items() if value},  # it takes no empty ones
            "annotations": {"summary": message.text},
            "startsAt": now.isoformat(),
            "endsAt": (now + self._lasts).isoformat(),
        }
