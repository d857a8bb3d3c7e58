"""Valid events of the tape, made without a publisher, and a way to put them there."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any

from brokertape.tape.changes import Change, Flow, Kind
from brokertape.tape.codec import encode_entry
from brokertape.tape.connection import RedisClient
from brokertape.tape.events import (
    BaselineData,
    Broken,
    ChangeData,
    Closing,
    CorrectionData,
    RolloverData,
    TapeEvent,
    tape_event,
)
from brokertape.tape.keys import SCHEMA, Keys
from brokertape.tape.rows import ListView, Row, Side, hash_rows

SOURCE = "/opend/127.0.0.1:11111"
FIRST_EPOCH = 1_778_198_400_000
BROKERS = ("Goldman Sachs", "UBS", "HSBC", "Morgan Stanley", "花旗", "CLSA", "Barclays", "Haitong")


class TapeFactory:
    """The tape of one code, event by event: every call makes the next one. The same seed makes the same tape."""

    def __init__(self, code: str = "HK.00700", *, epoch: int = FIRST_EPOCH, seed: int = 0) -> None:
        self.code = code
        self.epoch = epoch
        self.seq = 0
        self.now_ms = epoch
        self.trading_date = "2026-05-08"
        self._random = random.Random(f"{code}{epoch}{seed}")
        self._volumes = {name: self._random.randint(-500, 500) * 100 for name in BROKERS}
        self.rows = self._table()

    def baseline(self) -> TapeEvent:
        """Complete state; the first event of an epoch."""
        return self._event(BaselineData, reason="first_seen", rows=self.rows)

    def new_epoch(self) -> TapeEvent:
        """The baseline of a later epoch, with other rows."""
        self.epoch += 1_000_000
        self.seq = 0
        self._trade()
        return self._event(BaselineData, reason="server_changed", rows=self.rows)

    def change(self) -> TapeEvent:
        """Some brokers traded: rows move, change side, enter and leave."""
        before = {row.broker_name: row for row in self.rows}
        while {row.broker_name: row for row in self.rows} == before:  # who is not listed may trade unseen
            self._trade()
        after = {row.broker_name: row for row in self.rows}
        changes = [
            _change(name, before.get(name), after.get(name))
            for name in [*after, *(name for name in before if name not in after)]
            if before.get(name) != after.get(name)
        ]
        return self._event(ChangeData, changes=tuple(changes))

    def rollover(self) -> TapeEvent:
        """The next trading date."""
        closing = Closing(trading_date=self.trading_date, data_time=self.now_ms // 1000, rows=self.rows)
        self.trading_date = f"2026-05-{int(self.trading_date[-2:]) + 1:02}"
        self._trade()
        return self._event(RolloverData, closing=closing, rows=self.rows)

    def correction(self) -> TapeEvent:
        """The table restated."""
        self._trade()
        broken = Broken(what="data_time_back", broker_name=None, from_=2, to=1)
        return self._event(CorrectionData, rows=self.rows, broken=(broken,))

    def day(self, changes: int) -> list[TapeEvent]:
        """A baseline and so many changes."""
        return [self.baseline(), *(self.change() for _ in range(changes))]

    def _trade(self) -> None:
        for name in self._random.sample(BROKERS, 3):
            self._volumes[name] += self._random.choice((-1, 1)) * self._random.randint(1, 300) * 100
        self.rows = self._table()

    def _table(self) -> tuple[Row, ...]:
        """The three strongest on each side, so that brokers enter and leave."""
        by_volume = sorted(self._volumes.items(), key=lambda item: -item[1])
        buyers = [item for item in by_volume if item[1] >= 0][:3]
        sellers = [item for item in reversed(by_volume) if item[1] < 0][:3]
        return (*self._side("buy", buyers), *self._side("sell", sellers))

    def _side(self, side: Side, volumes: Sequence[tuple[str, int]]) -> Iterable[Row]:
        for rank, (name, volume) in enumerate(volumes, 1):
            yield Row(
                rank=rank,
                side=side,
                broker_name=name,
                net_vol=volume,
                avg_price=465.5,
                total_vol=float(abs(volume)),
                total_turnover=abs(volume) * 465.5,
            )

    def _event(self, data: type, **values: object) -> TapeEvent:
        self.seq += 1
        since, self.now_ms = self.now_ms, self.now_ms + 1000
        return tape_event(
            SOURCE,
            data(
                code=self.code,
                epoch=self.epoch,
                seq=self.seq,
                prev_seq=self.seq - 1 or None,
                trading_date=self.trading_date,
                data_time=self.now_ms // 1000,
                since=None if data is BaselineData else since,
                observed_at=self.now_ms,
                published_at=self.now_ms + 1,
                list=ListView.of(self.rows),
                hash=hash_rows(self.rows),
                **values,
            ),
        )


def _change(name: str, before: Row | None, after: Row | None) -> Change:
    if before is None or after is None:
        kind: Kind = "entered" if before is None else "left"
        return Change(broker_name=name, kinds=(kind,), before=before, after=after, flow=None)
    moved: Kind = "flipped" if before.side != after.side else "net" if before.net_vol != after.net_vol else "ranked"
    net_vol = (after.net_vol or 0) - (before.net_vol or 0)
    flow = Flow(net_vol=net_vol, buy_vol=None, sell_vol=None, turnover=None, vwap=None)
    return Change(broker_name=name, kinds=(moved,), before=before, after=after, flow=flow)


async def create_tape(client: RedisClient, prefix: str = "brokertape", partitions: int = 16) -> Keys:
    """Fix schema and partition count, as a publisher does first."""
    keys = Keys(prefix, partitions)
    await client.hset(keys.meta, mapping={"schema": str(SCHEMA), "partitions": str(partitions)})
    return keys


async def publish(client: RedisClient, keys: Keys, events: Iterable[TapeEvent]) -> list[str]:
    """Append `events` to the tapes of their codes; their entry ids."""
    pipeline = client.pipeline(transaction=False)
    for event in events:
        pipeline.xadd(keys.tape_of(event.data.code), dict[Any, Any](encode_entry(event)))
    return [entry_id.decode() for entry_id in await pipeline.execute()]


async def pending(client: RedisClient, keys: Keys, group: str) -> int:
    """How many entries the group holds unacknowledged, over all partitions that have it."""
    found = 0
    for tape in keys.tapes():
        if await client.exists(tape):
            groups = await client.xinfo_groups(tape)
            found += sum(one["pending"] for one in groups if one["name"] == group.encode())
    return found


async def settled(client: RedisClient, keys: Keys, group: str, timeout_s: float = 10.0) -> None:
    """Return once the group holds nothing unacknowledged."""
    async with asyncio.timeout(timeout_s):
        while await pending(client, keys, group):
            await asyncio.sleep(0.005)


async def dead_letters(client: RedisClient, keys: Keys, group: str) -> list[dict[bytes, bytes]]:
    """What the group gave up on, over all partitions."""
    found: list[dict[bytes, bytes]] = []
    for partition in range(keys.partitions):
        entries: Any = await client.xrange(keys.dead(partition, group))
        found += [fields for _, fields in entries]
    return found
