"""What the gateway says of itself: whether somebody is logged in, and whether its market is open."""

from brokertape.gateway.errors import GatewayError, NotAdmitted
from brokertape.gateway.port import Gateway
from brokertape.gateway.values import GlobalState, MarketState
from brokertape.publisher.clock import Clock
from brokertape.publisher.feed import Feed
from brokertape.publisher.schedule import Schedule

MARKET = "HK"


class GatewayWatch:
    """Looks at the gateway: the feed is told what changes, and the schedule when to rest. Raises StoreError.

    Args:
        gateway: Which one.
        name: What the feed calls it.
        schedule: Rests while the market does.
        feed: Is told.
        clock: The schedule's.
    """

    def __init__(self, gateway: Gateway, name: str, schedule: Schedule, feed: Feed, clock: Clock) -> None:
        self._gateway = gateway
        self._name = name
        self._schedule = schedule
        self._feed = feed
        self._clock = clock
        self._is_ready = False

    @property
    def can_poll(self) -> bool:
        """Whether it is there, and somebody is logged in."""
        return self._is_ready and self._gateway.is_connected

    async def look(self) -> bool:
        """Ask it; whether its market opened, closed or went to lunch."""
        try:
            state = await self._gateway.global_state()
        except GatewayError as error:
            self._is_ready = False
            kind = "refused" if isinstance(error, NotAdmitted) else "lost"
            await self._feed.status("gateway", self._name, kind, str(error))
            return False
        self._is_ready = state.is_ready
        await self._feed.status("gateway", self._name, *_login(state))
        return state.is_ready and await self._follow(state.market_hk)

    async def refuses(self, reason: str) -> None:
        """It refuses all requests for a while."""
        await self._feed.status("gateway", self._name, "refused", reason)

    async def _follow(self, market: MarketState) -> bool:
        """Polling rests while the market does."""
        name = _market_state(market)
        if name in ("lunch", "closed"):
            self._schedule.rest(self._clock.monotonic_s())
        else:
            self._schedule.wake(self._clock.monotonic_s())
        is_news = self._feed.state_of("market", MARKET) != name
        await self._feed.status("market", MARKET, name)
        return is_news


def _login(state: GlobalState) -> tuple[str, str | None]:
    if state.is_ready:
        return "connected", None
    if not state.qot_logined:
        return "refused", "the gateway is not logged in to its quote server"
    return "refused", f"the gateway is not ready: {state.program_status_desc or f'status {state.program_status}'}"


def _market_state(market: MarketState) -> str:
    """A state this client does not know counts as open: asking in vain costs only budget."""
    match market:
        case MarketState.REST:
            return "lunch"
        case MarketState.CLOSED | MarketState.AUCTION | MarketState.WAITING_OPEN:
            return "closed"
        case _:
            return "open"
