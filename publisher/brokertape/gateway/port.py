"""What the rest of the product sees of a gateway. `GatewayClient` is the real one, the simulator has one in memory."""

from collections.abc import Sequence
from typing import Protocol

from brokertape.gateway.values import GlobalState, SecuritySnapshot, StaticInfo, TopTenBrokers, TradeDate

MAX_CODES = 400  # of one request for static data or a market snapshot
MAX_CODES_BMP = 20  # Hong Kong codes of one market snapshot under the lowest quote rights


class Gateway(Protocol):
    """A gateway that can be asked. Every call raises a `GatewayError` and returns nothing when it fails.

    Codes are `HK.00700`. A call while there is no session fails at once; nothing waits for a reconnect. InvalidRequest,
    NotConnected and TooManyInFlight mean that nothing was sent, so nothing of the budget is spent.
    """

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""

    @property
    def login_user_id(self) -> int:
        """Whose account the gateway of the last session was logged in to; 0 if that is not known."""

    async def top_ten_brokers(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """The table of `code` now, or of the n-th previous trading day. Spends one unit of the request budget."""

    async def global_state(self) -> GlobalState:
        """Market state, login and clock."""

    async def static_info(self, codes: Sequence[str]) -> list[StaticInfo]:
        """What is fixed about up to MAX_CODES codes; one that is not known is left out, or refuses all of them."""

    async def market_snapshot(self, codes: Sequence[str]) -> list[SecuritySnapshot]:
        """Running totals of up to MAX_CODES codes; the answer may leave codes out, and names no others.

        It has a limit of its own, 60 requests in 30 s, which the caller keeps.

        Raises:
            OverBudget: It was asked too often.
            TooManyCodes: The account's rights allow fewer codes at a time.
            NoRights: They allow none.
            UnknownCode: One of the codes is not known; the others are not answered either.
        """

    async def trade_dates(self, begin: str, end: str) -> list[TradeDate]:
        """The Hong Kong trading days from `begin` to `end` (`YYYY-MM-DD`, both included)."""
