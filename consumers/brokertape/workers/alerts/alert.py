"""An alert: what a rule found, with an id that is the same however often it is found."""

import hashlib
from collections.abc import Mapping

from brokertape.tape._model import Model
from brokertape.workers.alerts.expression import Value
from brokertape.workers.alerts.state import TOGETHER, Key


class Alert(Model, frozen=True, kw_only=True):
    """What a rule found. `since` and `at` in ms since 1970: it happened in between, and was seen at `at`.

    `broker` is empty where the rule is not about one. `values` are the fields that its conditions asked.
    """

    id: str
    rule: str
    code: str
    broker: str
    event_id: str
    trading_date: str
    since: int | None
    at: int
    message: str
    values: Mapping[str, Value]


def alert_id(rule: str, event_id: str, key: Key = TOGETHER) -> str:
    """`<event id>/<rule>`; of a broker with 8 hex digits of its name's SHA-256, for names hold any character.

    Of brokers that share a name the further ones have their ordinal behind it.
    """
    name, ordinal = key
    if key == TOGETHER:
        return f"{event_id}/{rule}"
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{event_id}/{rule}/{digest}{f'.{ordinal}' if ordinal else ''}"
