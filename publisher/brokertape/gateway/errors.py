"""Everything that can go wrong between us and the gateway, in one tree.

GatewayError
├── InvalidSettings         the client is set up wrongly
│   └── KeyFileError        the RSA key file cannot be used
├── InvalidRequest          what was asked for makes no sense: nothing was sent
│   └── InvalidCode
├── FramingError            the bytes are not the protocol's: the link must be closed
│   ├── WrongFlag
│   ├── WrongDigest
│   ├── FrameTooLong
│   ├── UnknownProtoId      (the one that only skips its own frame)
│   └── MalformedBody       (an answer whose values cannot be fails only its own call)
├── LinkError               no reply because of the link
│   ├── NotConnected        (nothing was sent)
│   │   └── NotAdmitted     (the gateway answers but opens no session)
│   ├── TooManyInFlight     (nothing was sent)
│   ├── ConnectFailed
│   ├── InitRefused         the gateway answers but does not let us in (not logged in, wrong key)
│   ├── LinkLost
│   └── RequestTimeout
└── Refused                 the gateway answered "no"
    ├── OverBudget
    ├── NotHongKong
    ├── UnknownCode
    ├── NoRights
    ├── TooManyCodes        for the account's rights: fewer at a time are answered
    ├── QuotaExhausted
    ├── UnsubscribedTooSoon
    └── UpstreamTrouble     transient: the gateway's own backend
"""

import re

_FIVE_DIGITS = re.compile(r"(?<![0-9])[0-9]{5}(?![0-9])")


class GatewayError(Exception):
    """The root of the tree."""


class InvalidSettings(GatewayError, ValueError):
    """Raised when the client's settings cannot be meant; one line that says which and what would do."""


class KeyFileError(InvalidSettings):
    """Raised when the RSA key file is missing, unreadable, no private key, or too short."""


class InvalidRequest(GatewayError, ValueError):
    """Raised before anything is sent when a request's arguments cannot be meant."""


class InvalidCode(InvalidRequest):
    """Raised when a stock code is not of the form `HK.00700`."""


class FramingError(GatewayError):
    """Raised when received bytes do not follow the protocol."""


class WrongFlag(FramingError):
    """Raised when a header does not start with `FT`: this is no gateway, or we lost our place."""


class WrongDigest(FramingError):
    """Raised when a body does not have the SHA-1 its header names: damaged, or the wrong key."""


class FrameTooLong(FramingError):
    """Raised when a header announces a body longer than any reply can be."""


class UnknownProtoId(FramingError):
    """Raised for a message this client does not know; only that message is skipped."""

    def __init__(self, proto_id: int) -> None:
        super().__init__(f"unknown protocol id {proto_id}")
        self.proto_id = proto_id


class MalformedBody(FramingError):
    """Raised when a body is not the message its protocol id says, or holds values that cannot be."""


class LinkError(GatewayError):
    """Raised when a request got no reply because of the link."""


class NotConnected(LinkError):
    """Raised at once, with nothing sent, for a request made while there is no session."""


class TooManyInFlight(LinkError):
    """Raised at once, with nothing sent, when as many requests as may be are without a reply."""


class ConnectFailed(LinkError):
    """Raised when no TCP connection comes about: nobody listens, or the host cannot be reached."""


class NotAdmitted(NotConnected):
    """Raised instead of NotConnected while the gateway answers but opens no session; carries its reason."""


class LinkLost(LinkError):
    """Raised when the link broke while the reply was awaited."""


class RequestTimeout(LinkError):
    """Raised when no reply came in time; the session is closed with it, so that no late request is counted."""


class InitRefused(LinkError):
    """Raised when the gateway does not open a session: not logged in yet, or the RSA key differs."""


class Refused(GatewayError):
    """Raised when the gateway answered a request with a failure.

    `ret_type` and `ret_msg` are as it sent them.
    """

    def __init__(self, ret_type: int, ret_msg: str) -> None:
        super().__init__(f"{ret_msg or 'no reason given'} (retType {ret_type})")
        self.ret_type = ret_type
        self.ret_msg = ret_msg


class OverBudget(Refused):
    """Raised when the gateway says we asked too often."""


class NotHongKong(Refused):
    """Raised when the security is no Hong Kong stock or fund, or its market has no such table."""


class UnknownCode(Refused):
    """Raised when the gateway does not know the code, or one of several: then it answers none of them."""

    @property
    def codes(self) -> tuple[str, ...]:
        """What its text names that may be a code, as `HK.00700`; whoever asked for several knows which it can be."""
        return tuple(f"HK.{digits}" for digits in _FIVE_DIGITS.findall(self.ret_msg))


class NoRights(Refused):
    """Raised when the account's quote rights do not allow the request."""


class TooManyCodes(Refused):
    """Raised when the account's quote rights allow fewer codes in one market snapshot than were asked for.

    Under the lowest rights it is MAX_CODES_BMP of `brokertape.gateway.port` at a time.
    """


class QuotaExhausted(Refused):
    """Raised when the account's subscription quota is used up."""


class UnsubscribedTooSoon(Refused):
    """Raised when a subscription is given back before it is a minute old."""


class UpstreamTrouble(Refused):
    """Raised when the gateway's own backend failed: ask again later."""
