"""Reading a tape's state: books, leases, budgets, groups, statuses. Raises StoreError, DecodeError."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any, cast

from brokertape.cli.budget_use import budget_used
from brokertape.cli.health import BudgetUse, CodeSeen, GroupState, Lease, TapeState
from brokertape.cli.settings import BudgetGroup
from brokertape.publisher.leases import Peer, live_publishers
from brokertape.publisher.watch import Wanted, WatchList
from brokertape.publisher.why import WhyStore
from brokertape.tape.codec import load
from brokertape.tape.connection import RedisClient, store_errors
from brokertape.tape.errors import StoreRefused
from brokertape.tape.events import StatusEvent
from brokertape.tape.keys import Keys
from brokertape.workers.alert_keys import AlertKeys


async def read_tape_state(client: RedisClient, keys: Keys, budget: BudgetGroup) -> TapeState:
    """The state of the tape now."""
    now = time.time_ns() // 1_000_000
    wanted = await WatchList(client, keys).wanted()
    peers = await live_publishers(client, keys)
    whys = await WhyStore(client, keys).read(peer.publisher for peer in peers)
    polled = {why.publisher: {code.code for code in why.codes} for why in whys}
    leases = [_lease(peer, polled) for peer in peers]
    return TapeState(
        now=now,
        codes=[await _code_seen(client, keys, code, wanted, polled) for code in sorted(wanted.wants)],
        leases=leases,
        budgets=[
            BudgetUse(account, await budget_used(client, keys, account, budget), budget.limit)
            for account in sorted({lease.account for lease in leases})
        ],
        groups=await read_groups(client, keys, now),
        statuses=await _statuses(client, keys, {lease.publisher for lease in leases}),
        refused=wanted.watched.refused,
        whys=whys,
    )


async def _code_seen(
    client: RedisClient, keys: Keys, code: str, wanted: Wanted, polled: Mapping[str, Collection[str]]
) -> CodeSeen:
    with store_errors():
        observed_at, seq = await client.hmget(keys.book(code), ["observed_at", "seq"])
    return CodeSeen(
        code,
        None if observed_at is None else int(observed_at),
        None if seq is None else int(seq),
        wanted.wants[code].max_staleness_s,
        is_watched=code in wanted.watched.wants,
        subscribers=wanted.asked.subscribers.get(code, 0),
        polled_by=tuple(publisher for publisher, codes in sorted(polled.items()) if code in codes),
    )


def _lease(peer: Peer, polled: Mapping[str, Collection[str]]) -> Lease:
    codes = polled.get(peer.publisher)
    return Lease(peer.account, peer.publisher, peer.polls_per_s, peer.can_poll, None if codes is None else len(codes))


async def _statuses(client: RedisClient, keys: Keys, alive: Collection[str]) -> list[StatusEvent]:
    """What was last said of everything; of publishers, only of those `alive`: every start may be another name."""
    with store_errors():
        stored = cast("dict[bytes, bytes]", await client.hgetall(keys.status))
    events = [load(payload) for payload in stored.values()]
    found = [
        event
        for event in events
        if isinstance(event, StatusEvent) and (event.data.scope != "publisher" or event.data.name in alive)
    ]
    return sorted(found, key=lambda event: (event.data.scope, event.data.name))


async def read_groups(client: RedisClient, keys: Keys, now: int) -> list[GroupState]:
    """The consumer groups: workers', each over all partitions and the history stream, and those of alerting's sinks."""
    groups: dict[str, GroupState] = {}
    streams: list[tuple[str, Callable[[str], str]]] = [
        (tape, partial(keys.dead, partition)) for partition, tape in enumerate(keys.tapes())
    ]
    streams.append((keys.history, keys.dead_history))
    await _add_groups(client, streams, groups, now)
    alerting = [AlertKeys(keys, name) for name in groups]
    await _add_groups(client, [(one.outbox, one.dead) for one in alerting], groups, now)
    return [groups[name] for name in sorted(groups)]


async def _add_groups(
    client: RedisClient, streams: Iterable[tuple[str, Callable[[str], str]]], groups: dict[str, GroupState], now: int
) -> None:
    for stream, dead in streams:
        for info in await _group_infos(client, stream):
            state = await _group_state(client, stream, dead, info, now)
            groups[state.name] = groups.get(state.name, GroupState(state.name)).plus(state)


async def _group_infos(client: RedisClient, tape: str) -> list[dict[str, Any]]:
    try:
        with store_errors():
            infos: list[dict[str, Any]] = await client.xinfo_groups(tape)
            return infos
    except StoreRefused as error:
        if str(error.__cause__) == "no such key":
            return []  # nothing was published in this partition yet
        raise


async def _group_state(
    client: RedisClient, stream: str, dead_of: Callable[[str], str], info: dict[str, Any], now: int
) -> GroupState:
    name = info["name"].decode(errors="replace")
    with store_errors():
        unread: Any = await client.xrange(stream, f"({info['last-delivered-id'].decode()}", "+", count=1)
        pending: dict[str, Any] = await client.xpending(stream, info["name"])
        dead = await client.xlen(dead_of(name))
    waiting = [entry_id for entry_id, _ in unread] + [pending["min"]] * bool(pending["pending"])
    return GroupState(
        name=name,
        lag=int(info["lag"] if info.get("lag") is not None else bool(unread)),  # unknown once entries were deleted
        pending=int(info["pending"]),
        behind_ms=_age_of_oldest(waiting, now),
        dead=int(dead),
    )


def _age_of_oldest(entry_ids: Iterable[bytes], now: int) -> int:
    return max((now - int(entry_id.partition(b"-")[0]) for entry_id in entry_ids), default=0)
