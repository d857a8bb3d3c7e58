"""One connection's conversation without I/O: bytes and times in, bytes and events out.

Requests are numbered and matched with their replies by (protocol id, serial number); each has a deadline, whether
or not somebody still waits for it, because an unanswered request may yet be counted by the gateway. All times are
one monotonic clock's, in s.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from brokertape.gateway.counters import GatewayCounters
from brokertape.gateway.encryption import Cipher
from brokertape.gateway.errors import TooManyInFlight
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame, open_frame
from brokertape.gateway.messages import MESSAGES, PUSHES, ProtoId, parse_response
from brokertape.gateway.opening import Opening, Terms
from brokertape.gateway_pb.v1 import session_pb2 as session

MAX_IN_FLIGHT = 128  # four times what the budget allows in its window


@dataclass(frozen=True, slots=True)
class Opened:
    """The session is open."""

    terms: Terms


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for the request `serial_no`."""

    serial_no: int
    message: Message


@dataclass(frozen=True, slots=True)
class Push:
    """What the gateway sent unasked."""

    proto_id: ProtoId
    message: Message


Event = Opened | Reply | Push


class Exchange:
    """The protocol's rules for one connection, from InitConnect on."""

    def __init__(self, opening: Opening, request_timeout_s: float, counters: GatewayCounters) -> None:
        self._opening = opening
        self._request_timeout_s = request_timeout_s
        self._counters = counters
        self._decoder = FrameDecoder()
        self._terms: Terms | None = None
        self._last_serial_no = 0
        self._deadlines: dict[tuple[ProtoId, int], float] = {}  # in order of time, as all timeouts are equal
        self._keep_alive_at = math.inf

    @property
    def is_open(self) -> bool:
        """Whether InitConnect was accepted."""
        return self._terms is not None

    @property
    def login_user_id(self) -> int:
        """Whose account the gateway is logged in to; 0 if that is not known."""
        return self._terms.login_user_id if self._terms is not None else 0

    @property
    def is_mid_frame(self) -> bool:
        """Whether part of a frame was received and the rest was not."""
        return self._decoder.is_mid_frame

    @property
    def in_flight(self) -> int:
        """Requests without a reply."""
        return len(self._deadlines)

    @property
    def due_at(self) -> float:
        """When there is something to do without any bytes coming in: a keep-alive, or a deadline."""
        return min(self._keep_alive_at, next(iter(self._deadlines.values()), math.inf))

    def is_keep_alive_due(self, now: float) -> bool:
        """Whether a KeepAlive has to be sent."""
        return self._keep_alive_at <= now

    def open(self, now: float) -> bytes:
        """The InitConnect to send first."""
        return self._send(ProtoId.INIT_CONNECT, self._opening.request(), self._opening.request_cipher, now)

    def request(self, proto_id: ProtoId, message: Message, now: float) -> tuple[int, bytes]:
        """A request's serial number and the bytes to send.

        Raises:
            TooManyInFlight: As many as may be are without a reply.
        """
        if len(self._deadlines) >= MAX_IN_FLIGHT:
            raise TooManyInFlight(f"{MAX_IN_FLIGHT} requests are without a reply")
        data = self._send(proto_id, message, self._cipher, now)
        return self._last_serial_no, data

    def keep_alive(self, now: float, time_s: int) -> bytes:
        """The KeepAlive to send, with the wall clock's `time_s`; the next is due one period on."""
        self._keep_alive_at = now + self._open_terms.keep_alive_period_s
        message = session.KeepAliveRequest(c2s=session.KeepAliveC2S(time=time_s))
        return self._send(ProtoId.KEEP_ALIVE, message, self._cipher, now)

    def expire(self, now: float) -> dict[int, ProtoId]:
        """Requests whose deadline has passed, by serial number, each told once: the connection must be closed."""
        overdue = [key for key, deadline in self._deadlines.items() if deadline <= now]
        for key in overdue:
            del self._deadlines[key]
        self._counters.timeouts += len(overdue)
        return {serial_no: proto_id for proto_id, serial_no in overdue}

    def receive_data(self, data: bytes, now: float) -> Iterator[Event]:
        """What received bytes mean, in order; to be exhausted.

        Raises:
            FramingError: After the events before it. The connection must be closed.
            InitRefused: Likewise.
        """
        self._decoder.feed(data)
        while (frame := self._decoder.next_frame()) is not None:
            if (event := self._receive(frame, now)) is not None:
                yield event

    def _receive(self, frame: Frame, now: float) -> Event | None:
        if frame.proto_id not in MESSAGES:
            self._counters.unknown_messages += 1
            return None
        proto_id = ProtoId(frame.proto_id)
        if proto_id in PUSHES and self.is_open:
            return Push(proto_id, self._read(frame))
        if self._deadlines.pop((proto_id, frame.serial_no), None) is None:
            self._counters.late_replies += 1
            return None
        if proto_id is ProtoId.INIT_CONNECT:
            return self._accept(frame, now)
        return Reply(frame.serial_no, self._read(frame))

    def _accept(self, frame: Frame, now: float) -> Opened:
        self._terms = self._opening.accept(frame)
        self._keep_alive_at = now + self._terms.keep_alive_period_s
        return Opened(self._terms)

    def _read(self, frame: Frame) -> Message:
        return parse_response(frame.proto_id, open_frame(frame, self._cipher))

    def _send(self, proto_id: ProtoId, message: Message, cipher: Cipher, now: float) -> bytes:
        self._last_serial_no += 1
        self._counters.requests += 1
        self._deadlines[proto_id, self._last_serial_no] = now + self._request_timeout_s
        return encode_frame(proto_id, self._last_serial_no, message.SerializeToString(), cipher)

    @property
    def _open_terms(self) -> Terms:
        if self._terms is None:
            raise RuntimeError("nothing but InitConnect may be sent before its reply")
        return self._terms

    @property
    def _cipher(self) -> Cipher:
        return self._open_terms.cipher
