"""The events of the tape: CloudEvents 1.0 envelopes with typed data, one class per event type."""

from typing import Annotated, Literal

from pydantic import Field

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


class TapeData(Model):
    """What every event on the tape carries. Stamps in ms since 1970 but `data_time`, which is in s."""

    code: Code
    epoch: Epoch
    seq: Counted
    prev_seq: Counted | None = Field(description="The `seq` it follows; None at 1.")
    trading_date: TradingDate
    data_time: Seconds | None = Field(description="The gateway's update stamp, in s since 1970.")
    since: Millis | None = Field(
        description="When the request of the last good poll before this one was sent, in ms since 1970: what changed, "
        "changed after it and before `observed_at`. None in a baseline."
    )
    observed_at: Millis = Field(description="When the gateway's reply arrived, in ms since 1970.")
    published_at: Millis = Field(description="When the event was handed to Redis, in ms since 1970.")
    list: ListView
    hash: RowsHash = Field(description="Of the rows after the event.")


class BaselineData(TapeData):
    """Complete state, not flow."""

    reason: BaselineReason
    rows: tuple[Row, ...]


class ChangeData(TapeData):
    """One poll that found something moved; applied as a whole."""

    changes: tuple[Change, ...] = Field(json_schema_extra={"minItems": 1})


class Closing(Model):
    """The last state of the trading date before a rollover."""

    trading_date: TradingDate
    data_time: Seconds | None
    rows: tuple[Row, ...]


class RolloverData(TapeData):
    """The trading date moved on; `rows` is the first state of the new one."""

    closing: Closing
    rows: tuple[Row, ...]


class Broken(Model):
    """One rule of trading that a restatement broke: what fell, for whom, from what to what."""

    what: BrokenRule
    broker_name: str | None
    from_: float | int | None = Field(alias="from")
    to: float | int | None


class CorrectionData(TapeData):
    """The same date restated in a way trading cannot cause: consumers restate, it is not flow."""

    rows: tuple[Row, ...]
    broken: tuple[Broken, ...] = Field(json_schema_extra={"minItems": 1})


class HistoryRow(Model):
    """A row of a past day: the gateway gives no prices or totals for it."""

    rank: Counted
    side: Side
    broker_name: str
    net_vol: int | None


class HistoryData(Model):
    """The final list of a past trading day; never a base for a diff."""

    code: Code
    trading_date: TradingDate
    days_before: Counted
    data_time: Seconds | None
    rows: tuple[HistoryRow, ...]


class StatusData(Model):
    """A state that a late joiner must know too."""

    scope: StatusScope
    name: str
    state: str
    reason: str | None


class WatermarkEntry(Model):
    """How far one code was truly seen."""

    observed_at: Millis
    data_time: Seconds | None
    epoch: Epoch
    seq: Counted


class WatermarkData(Model):
    """Tells "nothing changed" from "nobody looked"."""

    codes: dict[Code, WatermarkEntry]


class Envelope(Model):
    """The CloudEvents attributes all events share. `id` is the same however often an event is delivered."""

    specversion: Literal["1.0"] = "1.0"
    type: str
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


class BaselineEvent(Envelope):
    """`brokertape.baseline.v1`: complete state, which begins an epoch."""

    type: Literal["brokertape.baseline.v1"] = "brokertape.baseline.v1"
    id: TapeEventId
    subject: Code
    data: BaselineData


class ChangeEvent(Envelope):
    """`brokertape.change.v1`: what moved in one poll, to be applied as a whole."""

    type: Literal["brokertape.change.v1"] = "brokertape.change.v1"
    id: TapeEventId
    subject: Code
    data: ChangeData


class RolloverEvent(Envelope):
    """`brokertape.rollover.v1`: the trading date moved on."""

    type: Literal["brokertape.rollover.v1"] = "brokertape.rollover.v1"
    id: TapeEventId
    subject: Code
    data: RolloverData


class CorrectionEvent(Envelope):
    """`brokertape.correction.v1`: the same date restated in a way trading cannot cause; not flow."""

    type: Literal["brokertape.correction.v1"] = "brokertape.correction.v1"
    id: TapeEventId
    subject: Code
    data: CorrectionData


class HistoryEvent(Envelope):
    """`brokertape.history.v1`, on the history stream."""

    type: Literal["brokertape.history.v1"] = "brokertape.history.v1"
    id: HistoryEventId
    subject: Code
    data: HistoryData


class StatusEvent(Envelope):
    """`brokertape.status.v1`, on the feed; subject is its name."""

    type: Literal["brokertape.status.v1"] = "brokertape.status.v1"
    id: FeedEventId
    data: StatusData

    @property
    def topic(self) -> str:
        """`status.<scope>`."""
        return f"status.{self.data.scope}"


class WatermarkEvent(Envelope):
    """`brokertape.watermark.v1`, on the feed every 5 s; subject is the publisher."""

    type: Literal["brokertape.watermark.v1"] = "brokertape.watermark.v1"
    id: FeedEventId
    data: WatermarkData


TapeEvent = BaselineEvent | ChangeEvent | RolloverEvent | CorrectionEvent
Event = Annotated[
    TapeEvent | HistoryEvent | StatusEvent | WatermarkEvent,
    Field(discriminator="type"),
]

_TAPE_EVENTS: dict[type[TapeData], type[TapeEvent]] = {
    BaselineData: BaselineEvent,
    ChangeData: ChangeEvent,
    RolloverData: RolloverEvent,
    CorrectionData: CorrectionEvent,
}


def tape_event(source: str, data: TapeData) -> TapeEvent:
    """The envelope around `data`: id `<code>/<epoch>/<seq>`, time = `observed_at`."""
    event: TapeEvent = _TAPE_EVENTS[type(data)].model_validate(
        {
            "source": source,
            "id": f"{data.code}/{data.epoch}/{data.seq}",
            "subject": data.code,
            "time": rfc3339(data.observed_at),
            "data": data,
        }
    )
    return event
