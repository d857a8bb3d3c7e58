"""The events of the tape: CloudEvents 1.0 envelopes with typed data, one class per event type."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, field

from brokertape.tape._model import Model
from brokertape.tape.changes import Change
from brokertape.tape.market_time import rfc3339
from brokertape.tape.rows import ListView, Row, Side
from brokertape.tape.wire_types import (
    Code,
    Counted,
    Epoch,
    FeedEventId,
    HistoryEventId,
    Millis,
    RowsHash,
    Seconds,
    Source,
    TapeEventId,
    Time,
    TradingDate,
)

BaselineReason = Literal["first_seen", "server_changed", "rolled_back"]
BrokenRule = Literal["total_vol", "total_turnover", "emptied", "data_time_back"]
StatusScope = Literal["gateway", "market", "code", "publisher"]


class TapeData(Model, frozen=True):
    """What every event on the tape carries. Stamps in ms since 1970 but `data_time`, which is in s."""

    code: Code
    epoch: Epoch
    seq: Counted
    prev_seq: Annotated[Counted | None, Meta(description="The `seq` it follows; None at 1.")]
    trading_date: TradingDate
    data_time: Annotated[Seconds | None, Meta(description="The gateway's update stamp, in s since 1970.")]
    since: Annotated[
        Millis | None,
        Meta(
            description="When the request of the last good poll before this one was sent, in ms since 1970: what "
            "changed, changed after it and before `observed_at`. None in a baseline."
        ),
    ]
    observed_at: Annotated[Millis, Meta(description="When the gateway's reply arrived, in ms since 1970.")]
    published_at: Annotated[Millis, Meta(description="When the event was handed to Redis, in ms since 1970.")]
    list: ListView
    hash: Annotated[RowsHash, Meta(description="Of the rows after the event.")]


class BaselineData(TapeData, frozen=True):
    """Complete state, not flow."""

    reason: BaselineReason
    rows: tuple[Row, ...]


class ChangeData(TapeData, frozen=True):
    """One poll that found something moved; applied as a whole."""

    changes: Annotated[tuple[Change, ...], Meta(extra_json_schema={"minItems": 1})]


class Closing(Model, frozen=True):
    """The last state of the trading date before a rollover."""

    trading_date: TradingDate
    data_time: Seconds | None
    rows: tuple[Row, ...]


class RolloverData(TapeData, frozen=True):
    """The trading date moved on; `rows` is the first state of the new one."""

    closing: Closing
    rows: tuple[Row, ...]


class Broken(Model, frozen=True):
    """One rule of trading that a restatement broke: what fell, for whom, from what to what."""

    what: BrokenRule
    broker_name: str | None
    from_: float | int | None = field(name="from")
    to: float | int | None


class CorrectionData(TapeData, frozen=True):
    """The same date restated in a way trading cannot cause: consumers restate, it is not flow."""

    rows: tuple[Row, ...]
    broken: Annotated[tuple[Broken, ...], Meta(extra_json_schema={"minItems": 1})]


class HistoryRow(Model, frozen=True):
    """A row of a past day: the gateway gives no prices or totals for it."""

    rank: Counted
    side: Side
    broker_name: str
    net_vol: int | None

    @classmethod
    def of(cls, row: Row) -> "HistoryRow":
        """What a past day keeps of `row`."""
        return cls(row.rank, row.side, row.broker_name, row.net_vol)


class HistoryData(Model, frozen=True):
    """The final list of a past trading day; never a base for a diff."""

    code: Code
    trading_date: TradingDate
    days_before: Counted
    data_time: Seconds | None
    rows: tuple[HistoryRow, ...]


class StatusData(Model, frozen=True):
    """A state that a late joiner must know too."""

    scope: StatusScope
    name: str
    state: str
    reason: str | None


class WatermarkEntry(Model, frozen=True):
    """How far one code was truly seen."""

    observed_at: Millis
    data_time: Seconds | None
    epoch: Epoch
    seq: Counted


class WatermarkData(Model, frozen=True):
    """Tells "nothing changed" from "nobody looked"."""

    codes: dict[Code, WatermarkEntry]


class Envelope(Model, frozen=True, kw_only=True, tag_field="type"):
    """The CloudEvents attributes all events share. `id` is the same however often an event is delivered."""

    type: ClassVar[str]
    specversion: Literal["1.0"] = "1.0"
    source: Source
    id: str
    subject: str
    time: Time
    datacontenttype: Literal["application/json"] = "application/json"

    @property
    def kind(self) -> str:
        """The middle of the type: `change` of `brokertape.change.v1`."""
        return self.type.split(".")[1]

    @property
    def topic(self) -> str:
        """`<kind>.<subject>`: what a stream reader can route on without parsing the payload."""
        return f"{self.kind}.{self.subject}"


class BaselineEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.baseline.v1"):
    """`brokertape.baseline.v1`: complete state, which begins an epoch."""

    type: ClassVar[str] = "brokertape.baseline.v1"
    id: TapeEventId
    subject: Code
    data: BaselineData


class ChangeEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.change.v1"):
    """`brokertape.change.v1`: what moved in one poll, to be applied as a whole."""

    type: ClassVar[str] = "brokertape.change.v1"
    id: TapeEventId
    subject: Code
    data: ChangeData


class RolloverEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.rollover.v1"):
    """`brokertape.rollover.v1`: the trading date moved on."""

    type: ClassVar[str] = "brokertape.rollover.v1"
    id: TapeEventId
    subject: Code
    data: RolloverData


class CorrectionEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.correction.v1"):
    """`brokertape.correction.v1`: the same date restated in a way trading cannot cause; not flow."""

    type: ClassVar[str] = "brokertape.correction.v1"
    id: TapeEventId
    subject: Code
    data: CorrectionData


class HistoryEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.history.v1"):
    """`brokertape.history.v1`, on the history stream."""

    type: ClassVar[str] = "brokertape.history.v1"
    id: HistoryEventId
    subject: Code
    data: HistoryData


class StatusEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.status.v1"):
    """`brokertape.status.v1`, on the feed; subject is its name."""

    type: ClassVar[str] = "brokertape.status.v1"
    id: FeedEventId
    data: StatusData

    @property
    def topic(self) -> str:
        """`status.<scope>`."""
        return f"status.{self.data.scope}"


class WatermarkEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.watermark.v1"):
    """`brokertape.watermark.v1`, on the feed every 5 s; subject is the publisher."""

    type: ClassVar[str] = "brokertape.watermark.v1"
    id: FeedEventId
    data: WatermarkData


TapeEvent = BaselineEvent | ChangeEvent | RolloverEvent | CorrectionEvent
Event = TapeEvent | HistoryEvent | StatusEvent | WatermarkEvent

_TAPE_EVENTS: dict[type[TapeData], Callable[..., TapeEvent]] = {
    BaselineData: BaselineEvent,
    ChangeData: ChangeEvent,
    RolloverData: RolloverEvent,
    CorrectionData: CorrectionEvent,
}


def tape_event_id(code: str, epoch: int, seq: int) -> str:
    """The CloudEvents id of an event on the tape."""
    return f"{code}/{epoch}/{seq}"


def tape_event(source: str, data: TapeData) -> TapeEvent:
    """The envelope around `data`: id `<code>/<epoch>/<seq>`, time = `observed_at`."""
    return _TAPE_EVENTS[type(data)](
        source=source,
        id=tape_event_id(data.code, data.epoch, data.seq),
        subject=data.code,
        time=rfc3339(data.observed_at),
        data=data,
    )
