"""What the gateway's answers become: immutable values in the vendor's words, stock codes as `HK.00700`.

A number that is not finite is None everywhere.
"""

from dataclasses import dataclass
from enum import IntEnum


class BuySellType(IntEnum):
    """Which table a broker stands in."""

    NET_BUY = 1
    NET_SELL = 2


class MarketState(IntEnum):
    """The states of the Hong Kong market (QotMarketState); any other number is read as UNKNOWN."""

    UNKNOWN = -1
    NONE = 0
    AUCTION = 1
    WAITING_OPEN = 2
    MORNING = 3
    REST = 4
    AFTERNOON = 5
    CLOSED = 6
    HK_CAS = 19

    @classmethod
    def _missing_(cls, value: object) -> "MarketState":
        return cls.UNKNOWN

    @property
    def is_trading(self) -> bool:
        """Whether lists move: continuous trading or the closing auction."""
        return self in (MarketState.MORNING, MarketState.AFTERNOON, MarketState.HK_CAS)


PROGRAM_READY = 10  # Common.proto ProgramStatusType_Ready
DELISTED = 13  # Qot_Common.proto SecurityStatus_Delisted


@dataclass(frozen=True, slots=True)
class BrokerItem:
    """One broker of a top-ten table; what the gateway left out is None. Volumes in shares, turnover in HKD."""

    broker_name: str
    buy_sell_type: BuySellType | None
    net_vol: int | None
    avg_price: float | None
    total_vol: float | None
    total_turnover: float | None


@dataclass(frozen=True, slots=True)
class TopTenBrokers:
    """The ten largest net buyers and sellers of one code, in the gateway's order.

    `data_time` is the table's last update in s since 1970, None when the gateway gave none (absent or 0).
    """

    code: str
    is_real_time: bool
    data_time: int | None
    brokers: tuple[BrokerItem, ...]


@dataclass(frozen=True, slots=True)
class GlobalState:
    """What the gateway says of itself and the market. `time_s` is its clock, in s since 1970."""

    market_hk: MarketState
    qot_logined: bool
    program_status: int | None
    program_status_desc: str
    server_ver: int
    time_s: int

    @property
    def is_ready(self) -> bool:
        """Whether quote requests can be answered."""
        return self.qot_logined and self.program_status in (None, PROGRAM_READY)


class TradeDateType(IntEnum):
    """How much of a trading day is traded; any other number is read as WHOLE, for polling too long costs nothing."""

    WHOLE = 0
    MORNING = 1
    AFTERNOON = 2

    @classmethod
    def _missing_(cls, value: object) -> "TradeDateType":
        return cls.WHOLE


@dataclass(frozen=True, slots=True)
class TradeDate:
    """One trading day (`YYYY-MM-DD`, market time)."""

    date: str
    type: TradeDateType


@dataclass(frozen=True, slots=True)
class StaticInfo:
    """What is fixed about a security. `sec_type`: 3 stock, 4 trust or fund; `lot_size` in shares."""

    code: str
    name: str
    lot_size: int
    sec_type: int
    is_delisted: bool

    @property
    def has_broker_table(self) -> bool:
        """Whether the gateway keeps a top-ten table for it: Hong Kong stocks and funds only."""
        return self.sec_type in (3, 4) and self.code.startswith("HK.")


@dataclass(frozen=True, slots=True)
class SecuritySnapshot:
    """One code of a market snapshot: running totals of the day, volume in shares, turnover in HKD.

    `sec_status`: 1 normal, 9 suspended, 13 delisted, and further ones; `update_timestamp` is when the price was last
    updated, in s since 1970. Either is None when the gateway gave none.
    """

    code: str
    name: str
    lot_size: int
    cur_price: float | None
    volume: int
    turnover: float | None
    is_suspended: bool
    sec_status: int | None
    update_timestamp: float | None

    @property
    def is_delisted(self) -> bool:
        """Whether it has left the exchange."""
        return self.sec_status == DELISTED

    @property
    def is_halted(self) -> bool:
        """Whether it cannot be traded."""
        return self.is_suspended or self.is_delisted


@dataclass(frozen=True, slots=True)
class BasicQuote:
    """A pushed quote: running totals of the day; a rise of `volume` means trades happened."""

    code: str
    cur_price: float | None
    volume: int
    turnover: float | None
    is_suspended: bool

    @property
    def is_halted(self) -> bool:
        """Whether it cannot be traded."""
        return self.is_suspended


@dataclass(frozen=True, slots=True)
class SubscriptionQuota:
    """Subscription units of the account: used and left."""

    used: int
    remaining: int
