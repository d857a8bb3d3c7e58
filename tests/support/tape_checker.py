"""Reads a tape as a stranger would, with redis and json alone, and says every fault it finds.

Held against it: the gateway's own log of what it answered (JSON lines), and the contract's words.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Rows = list[dict[str, Any]]


def read_tape(client: Any, prefix: str = "brokertape", partitions: int = 16) -> dict[str, list[dict[str, Any]]]:
    """Every event per code, in stream order."""
    tape: dict[str, list[dict[str, Any]]] = {}
    for partition in range(partitions):
        for _, fields in client.xrange(f"{prefix}:{{{partition}}}:tape"):
            event = json.loads(fields[b"payload"])
            tape.setdefault(event["subject"], []).append(event)
    return tape


def read_answers(log: Path) -> dict[str, list[Rows]]:
    """Every list the gateway gave per code, in order, as rows with rank and side."""
    answers: dict[str, list[Rows]] = {}
    for line in log.read_text().splitlines():
        answer = json.loads(line)
        if answer["ret_type"] == 0 and answer["days_before"] == 0:
            answers.setdefault(answer["code"], []).append(_ranked(answer["brokers"]))
    return answers


def faults(tape: Mapping[str, Sequence[Mapping[str, Any]]], answers: Mapping[str, Sequence[Rows]]) -> list[str]:
    """Every duplicate, gap and altered row, in words."""
    ids = Counter(event["id"] for events in tape.values() for event in events)
    found = [f"{event_id} stands {count} times" for event_id, count in ids.items() if count > 1]
    for code, events in tape.items():
        found += _faults_of(code, events, answers.get(code, []))
    return found


def final_faults(tape: Mapping[str, Sequence[Mapping[str, Any]]], answers: Mapping[str, Sequence[Rows]]) -> list[str]:
    """Codes whose tape does not end in the last list the gateway gave."""
    return [
        f"{code} does not end in the gateway's last answer"
        for code, lists in answers.items()
        if _states(tape.get(code, []))[-1:] != [lists[-1]]
    ]


def _faults_of(code: str, events: Sequence[Mapping[str, Any]], lists: Sequence[Rows]) -> Iterable[str]:
    epoch = seq = 0
    for event in events:
        data = event["data"]
        is_new_epoch = data["epoch"] > epoch
        expected = (1, None) if is_new_epoch else (seq + 1, seq)
        if data["epoch"] < epoch or (data["seq"], data["prev_seq"]) != expected:
            yield f"{event['id']} follows {epoch}/{seq} as {data['prev_seq']}"
        if is_new_epoch != event["type"].startswith("brokertape.baseline"):
            yield f"{event['id']} is {event['type']} {'in a new epoch' if is_new_epoch else 'within an epoch'}"
        epoch, seq = data["epoch"], data["seq"]
    position = 0
    for event, state in zip(events, _states(events), strict=True):
        if _hash(state) != event["data"]["hash"]:
            yield f"{event['id']} leads to other rows than its hash says"
        position = next((n for n in range(position, len(lists)) if lists[n] == state), -1)
        if position < 0:
            yield f"{event['id']} leads to rows the gateway did not give after those before"
            return


def _states(events: Sequence[Mapping[str, Any]]) -> list[Rows]:
    """The list after each event: as given, or by taking out every `before` and putting in every `after`."""
    states: list[Rows] = []
    for event in events:
        data = event["data"]
        if "rows" in data:
            states.append(data["rows"])
            continue
        table = {(row["side"], row["rank"]): row for row in (states[-1] if states else [])}
        for change in data["changes"]:
            if change["before"]:
                table.pop((change["before"]["side"], change["before"]["rank"]), None)
        for change in data["changes"]:
            if change["after"]:
                table[change["after"]["side"], change["after"]["rank"]] = change["after"]
        states.append([table[place] for place in sorted(table)])
    return states


def _ranked(brokers: Sequence[Mapping[str, Any]]) -> Rows:
    rows: Rows = []
    for number, side in ((1, "buy"), (2, "sell")):
        of_side = [broker for broker in brokers if broker["buy_sell_type"] == number]
        rows += [
            {
                "rank": rank,
                "side": side,
                **{
                    name: broker[name]
                    for name in ("broker_name", "net_vol", "avg_price", "total_vol", "total_turnover")
                },
            }
            for rank, broker in enumerate(of_side, start=1)
        ]
    return rows


def _hash(rows: Rows) -> str:
    lines = "".join(
        f"{row['side']}|{row['rank']}|{row['broker_name']}|{'' if row['net_vol'] is None else row['net_vol']}\n"
        for row in rows
    )
    return hashlib.sha256(lines.encode()).hexdigest()[:16]
