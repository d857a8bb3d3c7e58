"""Bytes to frames and back: pure, at any split of the bytes, in bounded memory.

A frame is a 44-byte little-endian header and a body:

    offset  size  field
    0       2     flag       `FT`
    2       4     protoId
    6       1     format     0 protobuf, 1 JSON
    7       1     version    0
    8       4     serialNo   a reply carries its request's; pushes carry 0
    12      4     bodyLen    as on the wire, after encryption
    16      20    SHA-1      of the plain body, before encryption
    36      8     reserved   zeros

(The vendor's SDK 10.11.7108 and its protocol pages of 2020.)
"""

import hashlib
import struct
from dataclasses import dataclass

from brokertape.gateway.encryption import Cipher
from brokertape.gateway.errors import FrameTooLong, MalformedBody, WrongDigest, WrongFlag

FLAG = b"FT"
PROTOBUF = 0
MAX_BODY_BYTES = 8 << 20  # a 400-code snapshot is under 200 kB; nothing we ask for is near this

_HEADER = struct.Struct("<2sIBBII20s8s")
HEADER_BYTES = _HEADER.size
_RESERVED = bytes(8)


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it travels: `body` may be encrypted, `digest` is the SHA-1 of the plain body."""

    proto_id: int
    serial_no: int
    body: bytes
    digest: bytes
    format: int = PROTOBUF


def encode_frame(proto_id: int, serial_no: int, plain_body: bytes, cipher: Cipher) -> bytes:
    """The bytes that carry `plain_body`, encrypted by `cipher`."""
    body = cipher.encrypt(plain_body)
    digest = hashlib.sha1(plain_body, usedforsecurity=False).digest()
    return _HEADER.pack(FLAG, proto_id, PROTOBUF, 0, serial_no, len(body), digest, _RESERVED) + body


def open_frame(frame: Frame, cipher: Cipher) -> bytes:
    """The plain body of `frame`.

    Raises:
        MalformedBody: It is in JSON, which nobody here asks for.
        WrongDigest: The body is damaged or was encrypted with another key. Decrypting with a wrong key need not
            fail, so it is the digest that decides.
    """
    if frame.format != PROTOBUF:
        raise MalformedBody(f"body of message {frame.proto_id} is in format {frame.format}, not protobuf")
    try:
        plain = cipher.decrypt(frame.body)
    except ValueError as error:
        raise WrongDigest(f"body of message {frame.proto_id} cannot be decrypted: {error}") from error
    if hashlib.sha1(plain, usedforsecurity=False).digest() != frame.digest:
        raise WrongDigest(f"body of message {frame.proto_id} does not match its SHA-1")
    return plain


class FrameDecoder:
    """Collects received bytes into frames.

    Holds at most one incomplete frame, so at most `max_body_bytes` plus a header and one read. After an error it
    is of no further use: the connection has lost its place and must be closed.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._buffer = bytearray()
        self._max_body_bytes = max_body_bytes

    @property
    def is_mid_frame(self) -> bool:
        """Whether part of a frame is waiting for the rest."""
        return bool(self._buffer)

    def receive_data(self, data: bytes) -> list[Frame]:
        """The frames that `data` completes, in order.

        Raises:
            WrongFlag: The bytes are not this protocol's.
            FrameTooLong: A header announces more than `max_body_bytes`.
        """
        self.feed(data)
        frames = []
        while (frame := self.next_frame()) is not None:
            frames.append(frame)
        return frames

    def feed(self, data: bytes) -> None:
        """Take received bytes; `next_frame` gives what they complete."""
        self._buffer += data

    def next_frame(self) -> Frame | None:
        """The next complete frame, None when the rest of it is still to come; raises as `receive_data` does.

        Frame by frame, what came whole before damaged bytes is not lost with them.
        """
        if not self._buffer.startswith(FLAG[: len(self._buffer)]):
            raise WrongFlag(f"a frame starts with {bytes(self._buffer[:2])!r}, not {FLAG!r}")
        if len(self._buffer) < HEADER_BYTES:
            return None
        _, proto_id, body_format, _, serial_no, body_len, digest, _ = _HEADER.unpack_from(self._buffer)
        if body_len > self._max_body_bytes:
            raise FrameTooLong(f"message {proto_id} announces {body_len} bytes, more than {self._max_body_bytes}")
        end = HEADER_BYTES + body_len
        if len(self._buffer) < end:
            return None
        body = bytes(self._buffer[HEADER_BYTES:end])
        del self._buffer[:end]
        return Frame(proto_id, serial_no, body, digest, body_format)
