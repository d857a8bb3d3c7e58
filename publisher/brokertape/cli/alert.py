"""`brokertape alert`: the alerting worker, from settings."""

import asyncio
import logging

from brokertape.cli.redis_link import open_redis
from brokertape.cli.settings import Settings, host_and_port
from brokertape.workers.alerts.alerting import AlertSettings
from brokertape.workers.alerts.alerting import alert as run_alert
from brokertape.workers.alerts.rule_file import load_rules
from brokertape.workers.process import settle_memory
from brokertape.workers.settings import WorkerSettings, default_consumer

logger = logging.getLogger("brokertape.cli.alert")


async def alert(settings: Settings, stop: asyncio.Event) -> None:
    """Judge the tape by the rules and tell the sinks until `stop` is set. A tape that is not there yet is waited for.

    Raises:
        RuleFileError, SinkError: The file of rules cannot be used.
        StoreError: Redis is not there at the start, or it or the tape in it cannot be used.
    """
    load_rules(settings.alert.rules)  # a fault in it is told whether there is a Redis or not
    async with open_redis(settings.redis):
        pass  # later losses are lived with; one at the start is most likely a wrong URL
    settle_memory()
    counts = await run_alert(alert_settings(settings), stop)
    logger.info(
        "stopped",
        extra={
            "events": counts.judging.events,
            "alerts": counts.judging.alerts,
            "late": counts.judging.late,
            "sent": {name: outlet.sent for name, outlet in counts.outlets.items()},
        },
    )


def alert_settings(settings: Settings) -> AlertSettings:
    """The alerting worker's own settings."""
    ours = settings.alert
    return AlertSettings(
        redis_url=settings.redis.url.get_secret_value(),
        rules=ours.rules,
        prefix=settings.redis.prefix,
        late_after_s=ours.late_after_s,
        endpoint=host_and_port(ours.endpoint) if ours.endpoint else None,
        worker=WorkerSettings(
            group=ours.group,
            consumer=ours.consumer or default_consumer(),
            lease_s=ours.lease_s,
            max_attempts=ours.max_attempts,
            stop_timeout_s=ours.stop_timeout_s,
        ),
    )
