"""Alerts in words, for whoever trades on them: who, what, how much, over which interval, when. Pure."""

from brokertape.tape.changes import Flow
from brokertape.tape.rows import Row
from brokertape.tape.wording import clock_time, plain, shares
from brokertape.workers.alerts.news import News, Record
from brokertape.workers.alerts.views import BasketView, BrokerView, TogetherView
from brokertape.workers.alerts.window import Sums

_SIDE = {"buy": "buyer", "sell": "seller"}


def about_broker(view: BrokerView, over_ms: int | None) -> str:
    """One broker in one code."""
    record = view.record
    parts = [f"{plain(record.broker) or '(no name)'} {_moved(record)}"]
    if over_ms is not None:
        parts.append(_summed(view.sums, over_ms))
    elif record.flow is not None and record.kinds:
        parts.append(_flow(record.flow))
    return _joined(parts, view.news)


def about_together(view: TogetherView, over_ms: int | None) -> str:
    """Several brokers in one code."""
    parts = [f"{view.buyers} of them buyers, {view.sellers} sellers", f"listed net {shares(view.net_vol)}"]
    if view.side is not None:
        parts.append(f"{_SIDE[view.side]}s together, whatever those off the list hold")
    if over_ms is not None:
        parts.append(_summed(view.sums, over_ms))
    return _joined(parts, view.news)


def about_basket(view: BasketView, over_ms: int | None) -> str:
    """A broker, or several, across codes."""
    who = plain(view.who) or "together"
    parts = [f"{who} buyer in {view.codes_buying} codes, seller in {view.codes_selling}"]
    if over_ms is not None:
        parts.append(f"net HK${money(view.sums.net_value)}, traded HK${money(view.sums.turnover)} {_within(over_ms)}")
    return _joined(parts, view.news)


def about_freshness(seen_at: int, stale_after_ms: int) -> str:
    """A code that nobody looked at."""
    return f"not looked at for {span(stale_after_ms)}: last seen {clock_time(seen_at)} HKT"


def headline(code: str, name: str | None, rule: str, message: str) -> str:
    """The whole line."""
    return f"{code}{f' {plain(name)}' if name else ''} · {message} [{rule}]"


def money(amount: float) -> str:
    """HKD, as precisely as one reads it: `86.9m`."""
    for unit, letter in ((1e9, "bn"), (1e6, "m"), (1e3, "k")):
        if abs(amount) >= unit:
            return f"{amount / unit:,.1f}{letter}"
    return f"{amount:,.0f}"


def span(duration_ms: int) -> str:
    """A time as rules write it: `5m`, `1h30m`."""
    seconds = max(1, (duration_ms + 500) // 1000)
    parts = ((seconds // 3600, "h"), (seconds % 3600 // 60, "m"), (seconds % 60, "s"))
    return "".join(f"{count}{unit}" for count, unit in parts if count)


def _moved(record: Record) -> str:
    before, after = record.before, record.after
    if before is None and after is None:
        return "off the list"
    if after is None:
        return f"leaves the list, was {_place(before)} with {_net(before)}"
    turns = f"turns {_SIDE[after.side]}: " if record.has_turned else ""
    if before is None:
        return f"{turns}enters as {_place(after)} with {_net(after)}"
    place = _place(after) if before.place == after.place else f"{_place(before)} → {_place(after)}"
    net = _net(after) if before.net_vol == after.net_vol else f"{_net(before)} → {_net(after)}"
    return f"{turns}net {net} shares, {place}"


def _place(row: Row | None) -> str:
    return f"{_SIDE[row.side]} #{row.rank}" if row else "off the list"


def _net(row: Row | None) -> str:
    return shares(row.net_vol if row else None)


def _flow(flow: Flow) -> str:
    if flow.buy_vol is None or flow.sell_vol is None:
        traded = f"net {shares(flow.net_vol)}"
    else:
        traded = f"bought {flow.buy_vol:,}, sold {flow.sell_vol:,}"
    if flow.turnover is None:
        return traded
    price = f" at {flow.vwap:,.2f}" if flow.vwap is not None else ""
    return f"{traded} for HK${money(flow.turnover)}{price}"


def _summed(sums: Sums, over_ms: int) -> str:
    hidden = f" and more: {sums.unknown} change{'s' * (sums.unknown != 1)} unknown" if sums.unknown else ""
    return f"bought {sums.bought:,}, sold {sums.sold:,} for HK${money(sums.turnover)} {_within(over_ms)}{hidden}"


def _within(over_ms: int) -> str:
    return f"within {span(over_ms)}"


def _joined(parts: list[str], news: News) -> str:
    told = ", ".join(parts)
    if not news.is_change:
        return f"{news.kind}: {told}, seen {clock_time(news.at)} HKT"
    return f"{told}, in the {span(news.at - (news.since or news.at))} to {clock_time(news.at)} HKT"
