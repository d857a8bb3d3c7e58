"""A day of one code told trade by trade: the events that a publisher would make of it, with true flows."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from brokertape.tape.diff import diff, repeated_names
from brokertape.tape.events import (
    BaselineData,
    Broken,
    ChangeData,
    Closing,
    CorrectionData,
    RolloverData,
    TapeData,
    TapeEvent,
    tape_event,
)
from brokertape.tape.rows import LISTED_PER_SIDE, ListView, Row, Side, hash_rows
from brokertape.tape.start import moment_ms

SOURCE = "/opend/127.0.0.1:11111"


@dataclass(slots=True)
class Traded:
    """What a broker has traded since the open: shares, HKD."""

    bought: int = 0
    sold: int = 0
    turnover: float = 0.0


@dataclass
class ScriptedDay:
    """One code. `trade` lets brokers trade, `poll` looks; market time goes by in between, as told."""

    code: str = "HK.00700"
    date: str = "2026-05-08"
    time: str = "10:00:00"
    epoch: int = 1_778_198_400_000
    seq: int = 0
    traded: dict[str, Traded] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()
    repeated: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.now = moment_ms(f"{self.date} {self.time}")
        self.asked_at = self.now

    def trade(self, broker: str, *, buy: int = 0, sell: int = 0, price: float = 100.0) -> "ScriptedDay":
        """`broker` buys and sells so many shares. `UBS#2` is a second broker with the name UBS."""
        one = self.traded.setdefault(broker, Traded())
        one.bought += buy
        one.sold += sell
        one.turnover += (buy + sell) * price
        return self

    def sleep(self, seconds: float) -> "ScriptedDay":
        """Time goes by without a look."""
        self.now += round(seconds * 1000)
        return self

    def look(self) -> "ScriptedDay":
        """A poll that finds nothing."""
        self.asked_at = self.now
        return self

    def baseline(self) -> TapeEvent:
        """Complete state, which begins an epoch."""
        self.epoch, self.seq = self.epoch + 1, 0
        self.rows = self._listed()
        return self._event(BaselineData, reason="first_seen", rows=self.rows)

    def poll(self, after_s: float = 20.0) -> TapeEvent:
        """A poll that finds what was traded, `after_s` after the last."""
        self.sleep(after_s)
        before, self.rows = self.rows, self._listed()
        return self._event(ChangeData, changes=diff(before, self.rows, self.repeated))

    def correction(self, after_s: float = 20.0) -> TapeEvent:
        """The list restated."""
        self.sleep(after_s)
        self.rows = self._listed()
        broken = Broken(what="data_time_back", broker_name=None, from_=2, to=1)
        return self._event(CorrectionData, rows=self.rows, broken=(broken,))

    def rollover(self, date: str, time: str = "09:30:20") -> TapeEvent:
        """The first look of the next trading date: nobody has traded yet but whom `trade` named since."""
        closing = Closing(trading_date=self.date, data_time=self.now // 1000, rows=self.rows)
        self.date, self.now = date, moment_ms(f"{date} {time}")
        self.rows = self._listed()
        return self._event(RolloverData, closing=closing, rows=self.rows)

    def _listed(self) -> tuple[Row, ...]:
        """Ten buyers and ten sellers at the most, the strongest first; who is even is on neither side."""
        nets = sorted(((one.bought - one.sold, name) for name, one in self.traded.items()), key=lambda item: -item[0])
        buyers = [item for item in nets if item[0] > 0][:LISTED_PER_SIDE]
        sellers = [item for item in reversed(nets) if item[0] < 0][:LISTED_PER_SIDE]
        rows = (*self._side("buy", buyers), *self._side("sell", sellers))
        self.repeated |= repeated_names(rows)
        return rows

    def _side(self, side: Side, places: Sequence[tuple[int, str]]) -> list[Row]:
        return [self._row(rank, side, name, net_vol) for rank, (net_vol, name) in enumerate(places, 1)]

    def _row(self, rank: int, side: Side, name: str, net_vol: int) -> Row:
        one = self.traded[name]
        total_vol = one.bought + one.sold
        return Row(
            rank=rank,
            side=side,
            broker_name=name.partition("#")[0],
            net_vol=net_vol,
            avg_price=one.turnover / total_vol,
            total_vol=float(total_vol),
            total_turnover=one.turnover,
        )

    def _event(self, data: type[TapeData], **values: Any) -> TapeEvent:
        self.seq += 1
        since, self.asked_at = self.asked_at, self.now
        return tape_event(
            SOURCE,
            data(
                **{
                    "code": self.code,
                    "epoch": self.epoch,
                    "seq": self.seq,
                    "prev_seq": self.seq - 1 or None,
                    "trading_date": self.date,
                    "data_time": self.now // 1000,
                    "since": None if data is BaselineData else since,
                    "observed_at": self.now,
                    "published_at": self.now + 1,
                    "list": ListView.of(self.rows),
                    "hash": hash_rows(self.rows),
                    **values,
                }
            ),
        )
