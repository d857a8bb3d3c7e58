"""The events of the tape: CloudEvents 1.0 envelopes with typed data, one class per event type."""

from typing import Annotated, Literal

from pydantic import Field

from brokertape.tape._model import Model
from brokertape.tape.changes import Change
from brokertape.tape.market_time import rfc3339
from brokertape.tape.rows import ListView, Row, Side

BaselineReason = Literal["first_seen", "server_changed", "rolled_back"]
BrokenRule = Literal["total_vol", "total_turnover", "emptied", "data_time_back"]
StatusScope = Literal["gateway", "market", "code", "publisher"]


class TapeData(Model):
    """What every event on the tape carries. Stamps in ms since 1970 but `data_time`, which is in s.

    `since` is when the request of the last good poll before this one was sent: what changed, changed after
    `since` and before `observed_at`. `hash` is that of the rows after the event.
    """

    code: str
    epoch: int
    seq: int
    prev_seq: int | None
    trading_date: str
    data_time: int | None
    since: int | None
    observed_at: int
    published_at: int
    list: ListView
    hash: str


class BaselineData(TapeData):
    """Complete state, not flow."""

    reason: BaselineReason
    rows: tuple[Row, ...]


class ChangeData(TapeData):
    """One poll that found something moved; applied as a whole."""

    changes: tuple[Change, ...]


class Closing(Model):
    """The last state of the trading date before a rollover."""

    trading_date: str
    data_time: int | None
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
    broken: tuple[Broken, ...]


class HistoryRow(Model):
    """A row of a past day: the gateway gives no prices or totals for it."""

    rank: int
    side: Side
    broker_name: str
    net_vol: int | None


class HistoryData(Model):
    """The final list of a past trading day; never a base for a diff."""

    code: str
    trading_date: str
    days_before: int
    data_time: int | None
    rows: tuple[HistoryRow, ...]


class StatusData(Model):
    """A state that a late joiner must know too."""

    scope: StatusScope
    name: str
    state: str
    reason: str | None


class WatermarkEntry(Model):
    """How far one code was truly seen."""

    observed_at: int
    data_time: int | None
    epoch: int
    seq: int


class WatermarkData(Model):
    """Tells "nothing changed" from "nobody looked"."""

    codes: dict[str, WatermarkEntry]


class Envelope(Model):
    """The CloudEvents attributes all events share. `id` is the same however often an event is delivered."""

    specversion: Literal["1.0"] = "1.0"
    type: str
    source: str
    id: str
    subject: str
    time: str
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
    """`brokertape.baseline.v1`."""

    type: Literal["brokertape.baseline.v1"] = "brokertape.baseline.v1"
    data: BaselineData


class ChangeEvent(Envelope):
    """`brokertape.change.v1`."""

    type: Literal["brokertape.change.v1"] = "brokertape.change.v1"
    data: ChangeData


class RolloverEvent(Envelope):
    """`brokertape.rollover.v1`."""

    type: Literal["brokertape.rollover.v1"] = "brokertape.rollover.v1"
    data: RolloverData


class CorrectionEvent(Envelope):
    """`brokertape.correction.v1`."""

    type: Literal["brokertape.correction.v1"] = "brokertape.correction.v1"
    data: CorrectionData


class HistoryEvent(Envelope):
    """`brokertape.history.v1`, on the history stream."""

    type: Literal["brokertape.history.v1"] = "brokertape.history.v1"
    data: HistoryData


class StatusEvent(Envelope):
    """`brokertape.status.v1`, on the feed; subject is its name."""

    type: Literal["brokertape.status.v1"] = "brokertape.status.v1"
    data: StatusData

    @property
    def topic(self) -> str:
        """`status.<scope>`."""
        return f"status.{self.data.scope}"


class WatermarkEvent(Envelope):
    """`brokertape.watermark.v1`, on the feed every 5 s; subject is the publisher."""

    type: Literal["brokertape.watermark.v1"] = "brokertape.watermark.v1"
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
