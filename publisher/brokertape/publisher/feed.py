"""What concerns the whole feed: status events and watermarks."""

import logging
from collections.abc import Collection, Mapping
from typing import Any, cast

from brokertape.publisher.clock import Clock
from brokertape.tape.codec import encode_entry, load_status
from brokertape.tape.connection import RedisClient, run_pipeline, store_errors
from brokertape.tape.events import (
    StatusData,
    StatusEvent,
    StatusScope,
    WatermarkData,
    WatermarkEntry,
    WatermarkEvent,
)
from brokertape.tape.keys import Keys, check_name
from brokertape.tape.market_time import rfc3339

logger = logging.getLogger("brokertape.publisher.feed")

TROUBLES = ("suspended", "refused")  # states of a code that it can recover from
FEED_MAX_ENTRIES = 10_000  # ten hours of watermarks of one publisher, trimmed in whole nodes
PUBLISHER_KNOWN_MS = 86_400_000


class Feed:
    """Writes the feed stream and the status hash for one publisher. Raises StoreError."""

    def __init__(self, client: RedisClient, keys: Keys, clock: Clock, *, publisher: str, source: str) -> None:
        self._client = client
        self._keys = keys
        self._clock = clock
        self._publisher = check_name("publisher", publisher)
        self._source = source
        self._started_ms = clock.now_ms()
        self._sent = 0
        self._states: dict[tuple[str, str], str] = {}
        self._said: dict[str, bytes] = {}  # by this publisher: field of the status hash → payload

    async def load(self, alive: Collection[str]) -> None:
        """Learn what was last said of codes, so that a restart neither repeats it nor forgets to take it back.

        Publishers dead for a day, those that are not `alive`, are swept from the status hash: by default each start
        has a name of its own.
        """
        now = self._clock.now_ms()
        with store_errors():
            stored = cast("dict[bytes, bytes]", await self._client.hgetall(self._keys.status))
        for field, payload in stored.items():
            event = load_status(payload)
            if event is None:
                continue
            if event.data.scope == "code":
                self._states["code", event.data.name] = event.data.state
            elif _is_forgotten(event, alive, now):
                with store_errors():
                    await self._client.hdel(self._keys.status, field)

    async def recall(self, scope: StatusScope, name: str) -> str | None:
        """Learn what was last said of `name`, by whomever; the reason that was given."""
        with store_errors():
            payload = cast("bytes | None", await self._client.hget(self._keys.status, f"{scope}|{name}"))
        self.forget(scope, name)
        if (event := load_status(payload or b"")) is None:
            return None
        self._states[scope, name] = event.data.state
        return event.data.reason

    async def status(self, scope: StatusScope, name: str, state: str, reason: str | None = None) -> None:
        """Say that `name` is in `state`; said once per change of state."""
        if self._states.get((scope, name)) == state:
            return
        event = StatusEvent(
            source=self._source,
            id=self._next_id(),
            subject=name,
            time=rfc3339(self._clock.now_ms()),
            data=StatusData(scope=scope, name=name, state=state, reason=reason),
        )
        with store_errors():
            await self._add(event)
            field, payload = f"{scope}|{name}", encode_entry(event)["payload"]
            await self._client.hset(self._keys.status, field, payload)
        self._states[scope, name], self._said[field] = state, payload

    async def trouble(self, code: str, state: str, reason: str) -> None:
        """Say, in the log too, that `code` is in one of TROUBLES, and why; once per change of state."""
        if self.state_of("code", code) != state:
            logger.warning("%s %s: %s", code, state, reason)
            await self.status("code", code, state, reason)

    async def restore(self) -> None:
        """Put what this publisher has said into the status hash, where Redis has lost it: no news, so no event."""
        if not self._said:
            return
        pipeline = self._client.pipeline(transaction=False)
        for field, payload in self._said.items():
            pipeline.hsetnx(self._keys.status, field, payload)
        with store_errors():
            await run_pipeline(self._client, pipeline)

    def state_of(self, scope: StatusScope, name: str) -> str | None:
        """The state last said of `name` by this publisher."""
        return self._states.get((scope, name))

    def forget(self, scope: StatusScope, name: str) -> None:
        """Nothing was said of `name`: what comes next is news again."""
        self._states.pop((scope, name), None)
        self._said.pop(f"{scope}|{name}", None)

    async def watermark(self, codes: Mapping[str, WatermarkEntry]) -> None:
        """Say how far each code was truly seen."""
        event = WatermarkEvent(
            source=self._source,
            id=self._next_id(),
            subject=self._publisher,
            time=rfc3339(self._clock.now_ms()),
            data=WatermarkData(codes=dict(codes)),
        )
        with store_errors():
            await self._add(event)

    def _next_id(self) -> str:
        self._sent += 1
        return f"{self._publisher}/{self._started_ms}/{self._sent}"

    async def _add(self, event: StatusEvent | WatermarkEvent) -> None:
        fields: dict[Any, Any] = dict(encode_entry(event).items())
        await self._client.xadd(self._keys.feed, fields, maxlen=FEED_MAX_ENTRIES, approximate=True)


def _is_forgotten(event: StatusEvent, alive: Collection[str], now: int) -> bool:
    is_old = event.time < rfc3339(now - PUBLISHER_KNOWN_MS)
    return event.data.scope == "publisher" and event.data.name not in alive and is_old
