"""Alerts as they travel from the rules to the sinks: CloudEvents, entries of the outbox."""

from collections.abc import Mapping
from typing import ClassVar

from msgspec import DecodeError as MsgspecError
from msgspec.json import Decoder

from brokertape.tape._model import Model
from brokertape.tape.errors import DecodeError
from brokertape.tape.events import Envelope
from brokertape.tape.market_time import rfc3339
from brokertape.workers.alerts.alert import Alert

MOST_TOLD = 200  # alerts that a digest spells out; of further ones it says how many


class AlertEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.alert.v1"):
    """`brokertape.alert.v1`: a rule has fired. `id` is the alert's, the same however often it is delivered."""

    type: ClassVar[str] = "brokertape.alert.v1"
    data: Alert


class Digest(Model, frozen=True, kw_only=True):
    """Alerts told together: `reason` says why. Seen from `first_at` to `at` (ms since 1970).

    `alerts` holds the last of them, at most MOST_TOLD, in the order in which they fired; `more` says how many there
    are besides.
    """

    reason: str
    first_at: int
    at: int
    message: str
    alerts: tuple[Alert, ...]
    more: int = 0


class DigestEvent(Envelope, frozen=True, kw_only=True, tag="brokertape.digest.v1"):
    """`brokertape.digest.v1`: many alerts in one, because they are old or too many. Subject is the alerting group."""

    type: ClassVar[str] = "brokertape.digest.v1"
    data: Digest


Told = AlertEvent | DigestEvent

_DECODER: Decoder[Told] = Decoder(Told)


def alert_event(alert: Alert, source: str) -> AlertEvent:
    """The envelope around an alert."""
    return AlertEvent(source=source, id=alert.id, subject=alert.code, time=rfc3339(alert.at), data=alert)


def decode_told(fields: Mapping[bytes, bytes]) -> Told:
    """The alert or digest of an entry of the outbox. Raises DecodeError."""
    try:
        return _DECODER.decode(fields[b"payload"])
    except (KeyError, MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"no alert: {error}") from error
