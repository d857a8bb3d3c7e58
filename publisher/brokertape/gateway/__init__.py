"""A native asyncio client of the OpenD gateway: framing, encryption, session, calls. Knows no Redis.

What needs protobuf or cryptography is loaded when its name is first used, so that importing this package, its
errors or its values costs next to nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.errors import (
    FramingError,
    GatewayError,
    InitRefused,
    InvalidCode,
    InvalidRequest,
    InvalidSettings,
    KeyFileError,
    LinkError,
    LinkLost,
    NoRights,
    NotConnected,
    NotHongKong,
    OverBudget,
    QuotaExhausted,
    Refused,
    RequestTimeout,
    TooManyCodes,
    UnknownCode,
    UnsubscribedTooSoon,
    UpstreamTrouble,
)
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import (
    BasicQuote,
    BrokerItem,
    BuySellType,
    GlobalState,
    MarketState,
    SecuritySnapshot,
    StaticInfo,
    SubscriptionQuota,
    TopTenBrokers,
    TradeDate,
    TradeDateType,
)

if TYPE_CHECKING:
    from brokertape.gateway.client import GatewayClient
    from brokertape.gateway.encryption import PacketEncAlgo
    from brokertape.gateway.link import LinkState
    from brokertape.gateway.notices import GatewayNotice, NoticeType
    from brokertape.gateway.settings import GatewaySettings

_LOADED_WHEN_USED = {
    "GatewayClient": "client",
    "GatewayNotice": "notices",
    "GatewaySettings": "settings",
    "LinkState": "link",
    "NoticeType": "notices",
    "PacketEncAlgo": "encryption",
}

__all__ = [
    "BasicQuote",
    "BrokerItem",
    "BuySellType",
    "FramingError",
    "Gateway",
    "GatewayClient",
    "GatewayCounters",
    "GatewayError",
    "GatewayNotice",
    "GatewaySettings",
    "GlobalState",
    "InitRefused",
    "InvalidCode",
    "InvalidRequest",
    "InvalidSettings",
    "KeyFileError",
    "LinkError",
    "LinkLost",
    "LinkState",
    "MarketState",
    "NoRights",
    "NotConnected",
    "NotHongKong",
    "NoticeType",
    "OverBudget",
    "PacketEncAlgo",
    "QuotaExhausted",
    "Refused",
    "RequestTimeout",
    "SecuritySnapshot",
    "StaticInfo",
    "SubscriptionQuota",
    "TooManyCodes",
    "TopTenBrokers",
    "TradeDate",
    "TradeDateType",
    "UnknownCode",
    "UnsubscribedTooSoon",
    "UpstreamTrouble",
]


def __getattr__(name: str) -> object:
    try:
        module = _LOADED_WHEN_USED[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{module}"), name)
