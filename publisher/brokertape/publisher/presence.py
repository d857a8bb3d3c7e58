"""How the other publishers know us: as alive, and as able to poll so much, or nothing."""

from brokertape.publisher.ability import Ability
from brokertape.publisher.budget import Budget
from brokertape.publisher.clock import Clock
from brokertape.publisher.leases import LEASE_S, Leases


class Presence:
    """Our lease, and whether codes are of any use to us. Raises StoreError.

    Args:
        leases: Where it is written.
        budget: Out of which we poll.
        polls_per_s: How many our account has room for.
        clock: The schedule's.
    """

    def __init__(self, leases: Leases, budget: Budget, polls_per_s: float, clock: Clock) -> None:
        self._leases = leases
        self._budget = budget
        self._polls_per_s = polls_per_s
        self._clock = clock
        self._ability = Ability(LEASE_S)

    async def renew(self, *, can_poll: bool) -> None:
        """Be known for a lease more; `can_poll`: whether the gateway can be asked."""
        can_poll = can_poll and not await self._must_wait()
        now = self._clock.monotonic_s()
        self._ability.looked(can_poll, now)
        await self._leases.renew(self._polls_per_s, can_poll=self._ability.is_able(now))

    def answered(self, *, is_good: bool) -> None:
        """The gateway answered a poll: with a list, or with a failure that concerns the code."""
        self._ability.answered(is_good, self._clock.monotonic_s())

    async def end(self) -> bool:
        """Be gone; False if another process of our name lives on."""
        return await self._leases.end()

    async def _must_wait(self) -> bool:
        """Whether the budget is held, or, at the start, pauses: later on a lost window makes everybody pause alike."""
        if self._ability.has_begun:
            return self._budget.backoff.wait_s(self._clock.monotonic_s()) > 0
        return await self._budget.rest_s() > 0
