"""The client: a `Gateway` on a link that stays up for hours."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import NoReturn, Self

from brokertape.gateway import notices, replies, requests
from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.exchange import Push
from brokertape.gateway.link import GatewayLink, LinkState
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.notices import GatewayNotice
from brokertape.gateway.settings import GatewaySettings
from brokertape.gateway.subscriptions import QuoteSubscriptions
from brokertape.gateway.values import (
    BasicQuote,
    GlobalState,
    SecuritySnapshot,
    StaticInfo,
    SubscriptionQuota,
    TopTenBrokers,
    TradeDate,
)
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from brokertape.gateway_pb.v1 import session_pb2 as session

logger = logging.getLogger(__name__)


def _ignore(*_: object) -> None:
    pass


class GatewayClient:
    """A client of one gateway that connects again whenever the link is lost.

    Used as `async with GatewayClient(settings) as client`, or with `run` in a task of the caller's. Making one
    needs no gateway. Calls need a session: without one they fail at once, and may be made again.

    The callbacks are called in the event loop, in order, and have to be quick: `on_link` for every change of the
    link's state or its reason, `on_notice` for what the gateway tells about itself, `on_quotes` for pushed quotes.
    What they raise ends the client.

    Raises:
        KeyFileError: On construction, when the RSA key file cannot be used.
    """

    def __init__(
        self,
        settings: GatewaySettings | None = None,
        *,
        on_link: Callable[[LinkState, str], None] = _ignore,
        on_notice: Callable[[GatewayNotice], None] = _ignore,
        on_quotes: Callable[[Sequence[BasicQuote]], None] = _ignore,
    ) -> None:
        self._on_notice = on_notice
        self._on_quotes = on_quotes
        self._link = GatewayLink(
            settings or GatewaySettings(),
            on_state=on_link,
            on_push=self._receive_push,
            on_session=self._keep_subscriptions,
        )
        self._subscriptions = QuoteSubscriptions(self._link.ask, self._link.new_delays)
        self._task: asyncio.Task[NoReturn] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""
        return self._link.is_connected

    @property
    def login_user_id(self) -> int:
        """Whose account the gateway of the last session was logged in to; 0 if that is not known."""
        return self._link.login_user_id

    @property
    def state(self) -> LinkState:
        """How we stand with the gateway."""
        return self._link.state

    @property
    def reason(self) -> str:
        """Why, in one line."""
        return self._link.reason

    @property
    def counters(self) -> GatewayCounters:
        """What was counted so far."""
        return self._link.counters

    @property
    def quote_codes(self) -> frozenset[str]:
        """The codes subscribed, or to be subscribed again with the next session."""
        return self._subscriptions.codes

    @property
    def pushed_codes(self) -> frozenset[str]:
        """Those of `quote_codes` that the gateway has taken in this session."""
        return self._subscriptions.accepted

    async def run(self) -> NoReturn:
        """Keep a session until cancelled; once per client. Raises only errors of this side, such as a callback's."""
        await self._link.run()

    async def wait_connected(self, timeout_s: float | None = None) -> None:
        """Return once there is a session.

        Raises:
            NotConnected: There is none after `timeout_s`, or there never will be.
        """
        await self._link.wait_connected(timeout_s)

    async def aclose(self) -> None:
        """End what `async with` started; raises what it ended with, if it did not end by this."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait([task])  # unlike awaiting it, tells its cancellation from our own
        if not task.cancelled():
            await task

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run(), name=f"gateway client {self._link.settings.address}")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def top_ten_brokers(self, code: str, days_before: int = 0) -> TopTenBrokers:
        """The table of `code` now, or of the n-th previous trading day. Spends one unit of the request budget."""
        request = requests.top_ten_brokers(code, days_before)
        reply = await self._link.ask(ProtoId.QOT_GET_TOP_TEN_BUY_SELL_BROKERS, request)
        return replies.top_ten_brokers(reply, code, days_before)

    async def global_state(self) -> GlobalState:
        """Market state, login and clock."""
        reply = await self._link.ask(ProtoId.GET_GLOBAL_STATE, requests.global_state())
        return replies.global_state(reply)

    async def static_info(self, codes: Sequence[str]) -> list[StaticInfo]:
        """What is fixed about up to MAX_CODES codes; one that is not known is left out, or refuses all of them."""
        reply = await self._link.ask(ProtoId.QOT_GET_STATIC_INFO, requests.static_info(codes))
        return replies.static_info(reply)

    async def market_snapshot(self, codes: Sequence[str]) -> list[SecuritySnapshot]:
        """Running totals of up to MAX_CODES codes; its limit of 60 requests in 30 s is kept by the caller."""
        reply = await self._link.ask(ProtoId.QOT_GET_SECURITY_SNAPSHOT, requests.market_snapshot(codes))
        return replies.market_snapshot(reply, codes)

    async def trade_dates(self, begin: str, end: str) -> list[TradeDate]:
        """The Hong Kong trading days from `begin` to `end` (`YYYY-MM-DD`, both included)."""
        reply = await self._link.ask(ProtoId.QOT_REQUEST_TRADE_DATE, requests.trade_dates(begin, end))
        return replies.trade_dates(reply)

    async def subscribe_quotes(self, codes: Sequence[str]) -> None:
        """Have the quotes of `codes` pushed to `on_quotes`, now and after every reconnect.

        Costs one unit of subscription quota a code. When it fails midway, `quote_codes` tells what is subscribed.
        """
        await self._subscriptions.subscribe(codes)

    async def unsubscribe_quotes(self, codes: Sequence[str]) -> None:
        """Have them pushed no longer.

        Raises:
            UnsubscribedTooSoon: A subscription has to last a minute.
        """
        await self._subscriptions.unsubscribe(codes)

    async def subscription_quota(self) -> SubscriptionQuota:
        """Subscription units of the account."""
        reply = await self._link.ask(ProtoId.QOT_GET_SUB_INFO, requests.subscription_quota())
        return replies.subscription_quota(reply)

    async def _keep_subscriptions(self) -> None:
        await self._subscriptions.keep()

    def _receive_push(self, push: Push) -> None:
        match push.message:
            case quote.QotUpdateBasicQotResponse():
                if quotes := replies.basic_quotes(push.message):
                    self._on_quotes(quotes)
            case session.NotifyResponse():
                if notice := notices.read_notice(push.message):
                    self._receive_notice(notice)

    def _receive_notice(self, notice: GatewayNotice) -> None:
        log = logger.warning if notice.is_alarm else logger.info
        log("gateway %s: %s %s", self._link.settings.address, notice.name, notice.desc)
        if notice.name == notices.QOT_LOGINED:
            self._subscriptions.restore()  # users of the SDK report that no pushes come after its backend was away
        self._on_notice(notice)
