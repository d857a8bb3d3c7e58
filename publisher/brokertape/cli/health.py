"""What a tape looks like from outside, and what of it is unhealthy. Pure: times in ms since 1970 as arguments.

Unhealthy is:

- no publisher holds a lease: nobody polls;
- a live publisher's gateway is lost or refuses;
- a code that operators watch is refused (what only subscribers ask for, they are told themselves);
- a code that anybody wants is suspended, or, while the market trades, was not seen for longer than promised
  (`max_staleness_s` and 5 s) or, without a promise, than three rounds of the whole list take, at least 60 s;
- a consumer group has left an entry unread or unacknowledged for 60 s, or has given one up.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from brokertape.publisher.leases import USUAL_PER_S
from brokertape.publisher.why import Why
from brokertape.tape.events import StatusEvent

PROMISE_SLACK_S = 5.0
LEAST_STALENESS_S = 60.0
ROUNDS = 3
MOST_BEHIND_MS = 60_000
RESTING = ("lunch", "closed")


@dataclass(frozen=True, slots=True)
class CodeSeen:
    """A wanted code: when it was last truly seen (ms, None: never), its last `seq`, and the staleness promised.

    `is_watched` by operators; `subscribers` is how many live ones ask for it; `polled_by` which publishers.
    """

    code: str
    observed_at: int | None
    seq: int | None
    max_staleness_s: float | None
    is_watched: bool = True
    subscribers: int = 0
    polled_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A live publisher: how many polls a second its account has room for, whether it can make any now, how many codes
    it polls (None: unknown)."""

    account: str
    publisher: str
    polls_per_s: float
    can_poll: bool = True
    codes: int | None = None


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """How much of an account's window is taken."""

    account: str
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class GroupState:
    """A consumer group over all partitions: entries unread and unacknowledged, the age of the oldest, the given up."""

    name: str
    lag: int = 0
    pending: int = 0
    behind_ms: int = 0
    dead: int = 0

    def plus(self, other: "GroupState") -> "GroupState":
        """Both partitions of the group together."""
        return GroupState(
            self.name,
            self.lag + other.lag,
            self.pending + other.pending,
            max(self.behind_ms, other.behind_ms),
            self.dead + other.dead,
        )


@dataclass(frozen=True, slots=True)
class TapeState:
    """A tape at a moment (`now`, ms)."""

    now: int
    codes: Sequence[CodeSeen] = ()
    leases: Sequence[Lease] = ()
    budgets: Sequence[BudgetUse] = ()
    groups: Sequence[GroupState] = ()
    statuses: Sequence[StatusEvent] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    whys: Sequence[Why] = ()

    @property
    def polls_per_s(self) -> float:
        """How often the accounts of all live publishers can poll; as if there were one where none can."""
        rates: dict[str, float] = {}
        for lease in self.leases:
            if lease.can_poll:
                rates[lease.account] = max(rates.get(lease.account, 0.0), lease.polls_per_s)
        return sum(rates.values()) or USUAL_PER_S

    def staleness_limit_s(self, code: CodeSeen) -> float:
        """After how long unseen a code is stale."""
        if code.max_staleness_s is not None:
            return code.max_staleness_s + PROMISE_SLACK_S
        return max(LEAST_STALENESS_S, ROUNDS * len(self.codes) / self.polls_per_s)

    def state_of(self, scope: str, name: str) -> str | None:
        """The state last said of `name`."""
        found = (status for status in self.statuses if (status.data.scope, status.data.name) == (scope, name))
        return next((status.data.state for status in found), None)

    @property
    def is_resting(self) -> bool:
        """Whether the market does."""
        return any(status.data.state in RESTING for status in self.statuses if status.data.scope == "market")


def troubles(tape: TapeState) -> list[str]:
    """What is unhealthy, a line each; empty if all is well."""
    return [*_publisher_troubles(tape), *_code_troubles(tape), *_group_troubles(tape.groups)]


def _publisher_troubles(tape: TapeState) -> Iterator[str]:
    if not tape.leases:
        yield "no publisher is running"
    alive = {lease.publisher for lease in tape.leases}
    for status in tape.statuses:
        # What a publisher that is gone said of its gateway is no news: its events carry its name.
        is_alive = status.id.rsplit("/", 2)[0] in alive
        if status.data.scope == "gateway" and status.data.state != "connected" and is_alive:
            yield f"gateway {status.data.name} {status.data.state}: {status.data.reason}"


def _code_troubles(tape: TapeState) -> Iterator[str]:
    yield from (f"{code} cannot be watched: {reason}" for code, reason in tape.refused.items())
    for code in tape.codes:
        state = tape.state_of("code", code.code)
        if state == "refused" and not code.is_watched:
            continue
        if state in ("refused", "suspended"):
            yield f"{code.code} is {state}"
        elif code.observed_at is None:
            yield f"{code.code} was never seen"
        elif not tape.is_resting and tape.now - code.observed_at > 1000 * tape.staleness_limit_s(code):
            age_s = (tape.now - code.observed_at) / 1000
            yield f"{code.code} was last seen {age_s:.0f} s ago, {tape.staleness_limit_s(code):.0f} are allowed"


def _group_troubles(groups: Iterable[GroupState]) -> Iterator[str]:
    for group in groups:
        if group.behind_ms > MOST_BEHIND_MS:
            yield f"group {group.name} is {group.behind_ms / 1000:.0f} s behind"
        if group.dead:
            yield f"group {group.name} gave up {group.dead} entries: see its dead-letter streams"
