"""Has the gateway push the quotes of the codes worth most: their trades are known at once, one by one.

Costs one unit of the account's subscription quota a code, and needs better quote rights than a market snapshot: what
is refused is left to the snapshots, and tried again later.
"""

import logging
import math
from collections.abc import Sequence
from typing import Protocol

from brokertape.gateway.errors import (
    GatewayError,
    LinkError,
    QuotaExhausted,
    Refused,
    UnknownCode,
    UnsubscribedTooSoon,
)
from brokertape.gateway.values import BasicQuote, SubscriptionQuota
from brokertape.publisher.clock import Clock
from brokertape.publisher.schedule import Schedule
from brokertape.publisher.volume_signal import VolumeSignal

logger = logging.getLogger("brokertape.publisher.pushed_quotes")

LOOK_EVERY_S = 1.0
CHOOSE_EVERY_S = 60.0
SPOKEN_S = 5.0  # a session that ended is noticed within so long
YOUNGEST_S = 61.0  # the gateway lets nobody unsubscribe within a minute
REFUSED_PAUSE_S = 600.0
WORTH_MORE = 1.5  # a code has to be worth so much more than one that is subscribed to take its place


class QuoteGateway(Protocol):
    """A gateway that pushes quotes."""

    @property
    def is_connected(self) -> bool:
        """Whether there is a session now."""

    @property
    def quote_codes(self) -> frozenset[str]:
        """The codes subscribed, or to be subscribed again with the next session."""

    @property
    def pushed_codes(self) -> frozenset[str]:
        """Those of them that are pushed now."""

    async def subscribe_quotes(self, codes: Sequence[str]) -> None:
        """Have the quotes of `codes` pushed."""

    async def unsubscribe_quotes(self, codes: Sequence[str]) -> None:
        """Have them pushed no longer."""

    async def subscription_quota(self) -> SubscriptionQuota:
        """Units used and left."""


class PushedQuotes:
    """Chooses the codes, and tells what is pushed.

    Args:
        gateway: Who pushes.
        signal: Who is told.
        schedule: Which codes there are, and what each is worth.
        clock: The schedule's.
        most: So many codes at most, whatever the account's quota has room for.
    """

    name = "pushed quotes"

    def __init__(
        self, gateway: QuoteGateway, signal: VolumeSignal, schedule: Schedule, clock: Clock, most: int
    ) -> None:
        self._gateway = gateway
        self._signal = signal
        self._schedule = schedule
        self._clock = clock
        self._most = most
        self._since: dict[str, float] = {}
        self._chosen_at = -math.inf

    @property
    def interval_s(self) -> float:
        """How long to the next look."""
        return LOOK_EVERY_S

    def take(self, quotes: Sequence[BasicQuote]) -> None:
        """The gateway has pushed these; for the client's `on_quotes`."""
        self._signal.take([quote for quote in quotes if quote.code in self._schedule.codes], SPOKEN_S)

    async def look(self) -> None:
        """Speak for what is subscribed, and every minute choose again."""
        if not self._gateway.is_connected:
            return
        self._signal.speak_for(self._gateway.pushed_codes & self._schedule.codes, SPOKEN_S)
        now = self._clock.monotonic_s()
        if now < self._chosen_at + CHOOSE_EVERY_S:
            return
        self._chosen_at = now
        try:
            await self._choose(now)
        except (LinkError, UnsubscribedTooSoon):
            return  # it is subscribed again with the next session, and chosen again in a minute
        except QuotaExhausted as error:
            logger.info("somebody else took the quota for pushed quotes: %s", error)
        except UnknownCode as error:  # it refuses all of them; by the next time a poll of it has failed
            logger.warning("pushed quotes are chosen again in %.0f s: %s", CHOOSE_EVERY_S, error)
        except Refused as error:
            logger.warning("no pushed quotes for %.0f min: %s", REFUSED_PAUSE_S / 60, error)
            self._chosen_at = now + REFUSED_PAUSE_S - CHOOSE_EVERY_S
        except GatewayError as error:
            logger.warning("pushed quotes: %s", error)

    async def _choose(self, now: float) -> None:
        subscribed = self._gateway.quote_codes
        self._since = {code: self._since.get(code, now) for code in subscribed}
        room = min(self._most, len(subscribed) + (await self._gateway.subscription_quota()).remaining)
        wanted = self._worth_most(subscribed, room)
        leaving = [code for code in subscribed - wanted if now >= self._since[code] + YOUNGEST_S]
        if leaving:
            await self._gateway.unsubscribe_quotes(leaving)
        coming = sorted(wanted - subscribed)[: max(0, room - len(subscribed) + len(leaving))]
        if coming:
            await self._gateway.subscribe_quotes(coming)
            self._since |= dict.fromkeys(coming, now)
            logger.info("quotes are pushed of %d codes", len(self._gateway.quote_codes))

    def _worth_most(self, subscribed: frozenset[str], room: int) -> frozenset[str]:
        """So many codes with the most changes by weight; who is subscribed has an edge, so that ranks may waver."""
        worth = {
            view.code: view.weight * view.changes_per_h * (WORTH_MORE if view.code in subscribed else 1.0)
            for view in self._schedule.views(self._clock.monotonic_s())
            # A halted one stays: who else would tell that it trades again?
            if view.code in subscribed or not (view.is_halted or view.failures)
        }
        return frozenset(sorted(worth, key=lambda code: (-worth[code], code))[:room])
