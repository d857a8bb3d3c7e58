"""Bytes to frames and back."""

import hashlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.encryption import PlainCipher
from brokertape.gateway.errors import FrameTooLong, MalformedBody, WrongDigest, WrongFlag
from brokertape.gateway.framing import HEADER_BYTES, Frame, FrameDecoder, encode_frame, open_frame

PLAIN = PlainCipher()

sent = st.lists(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.binary(max_size=100)), min_size=1, max_size=5
)


def test_a_frame_is_laid_out_as_the_protocol_says() -> None:
    """Every field stands at its offset, little-endian, before the body."""
    data = encode_frame(3247, 0x01020304, b"body", PLAIN)
    assert data[:2] == b"FT"
    assert data[2:6] == bytes([0xAF, 0x0C, 0, 0])
    assert data[6:8] == bytes(2)
    assert data[8:12] == bytes([4, 3, 2, 1])
    assert data[12:16] == bytes([4, 0, 0, 0])
    assert data[16:36] == hashlib.sha1(b"body").digest()
    assert data[36:] == bytes(8) + b"body"


@given(sent, st.data())
def test_frames_come_whole_at_any_split_of_the_bytes(sent: list[tuple[int, int, bytes]], data: st.DataObject) -> None:
    """However the bytes are cut, the same frames come out, and nothing is left over."""
    stream = b"".join(encode_frame(*frame, PLAIN) for frame in sent)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))) | {0, len(stream)})
    decoder = FrameDecoder()
    frames = [frame for a, b in itertools.pairwise(cuts) for frame in decoder.receive_data(stream[a:b])]
    assert [(frame.proto_id, frame.serial_no, open_frame(frame, PLAIN)) for frame in frames] == sent
    assert not decoder.is_mid_frame


def test_frames_come_whole_byte_by_byte() -> None:
    """One byte at a time is no special case, and part of a frame is known to be one."""
    stream = encode_frame(1004, 1, b"abc", PLAIN)
    decoder = FrameDecoder()
    for byte in stream[:-1]:
        assert decoder.receive_data(bytes([byte])) == []
        assert decoder.is_mid_frame
    assert len(decoder.receive_data(stream[-1:])) == 1


@pytest.mark.parametrize("data", [b"H", b"FX", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_wrong_flag_is_refused_at_its_first_wrong_byte(data: bytes) -> None:
    """Whoever answers without `FT` is no gateway."""
    with pytest.raises(WrongFlag):
        FrameDecoder().receive_data(data)


def test_whole_frames_before_damaged_bytes_are_not_lost() -> None:
    """Frame by frame, the error comes where the damage is, not where the read began."""
    decoder = FrameDecoder()
    decoder.feed(encode_frame(1004, 1, b"abc", PLAIN) + b"garbage")
    assert decoder.next_frame() is not None
    with pytest.raises(WrongFlag):
        decoder.next_frame()


def test_an_absurd_length_is_refused_before_any_of_it_arrives() -> None:
    """A header that announces gigabytes makes nobody wait for them, or hold them."""
    header = bytearray(encode_frame(3247, 1, b"", PLAIN))
    header[12:16] = b"\xff\xff\xff\xff"
    with pytest.raises(FrameTooLong, match="4294967295 bytes"):
        FrameDecoder().receive_data(bytes(header))


@given(st.binary(min_size=101, max_size=300), st.integers(1, 64))
def test_memory_is_bounded_by_one_frame_and_one_read(body: bytes, read: int) -> None:
    """What is held never exceeds the largest frame and the last read, whatever comes."""
    limit = 100
    decoder = FrameDecoder(max_body_bytes=limit)
    stream = encode_frame(1004, 1, body[:limit], PLAIN) * 3 + encode_frame(1004, 1, body, PLAIN)
    reads = [stream[i : i + read] for i in range(0, len(stream), read)]
    held = []

    def receive_all() -> None:
        for data in reads:
            held.append(len(decoder._buffer) + len(data))
            decoder.receive_data(data)

    with pytest.raises(FrameTooLong):
        receive_all()
    assert max(held) <= HEADER_BYTES + limit + read


@given(st.binary(min_size=1, max_size=100), st.data())
def test_a_body_damaged_anywhere_fails_its_digest(body: bytes, data: st.DataObject) -> None:
    """One flipped bit is noticed."""
    damaged = bytearray(body)
    damaged[data.draw(st.integers(0, len(body) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(WrongDigest):
        open_frame(Frame(1004, 1, bytes(damaged), hashlib.sha1(body).digest()), PLAIN)


def test_a_body_in_json_is_refused_with_its_format() -> None:
    """We ask for protobuf; JSON is not guessed at."""
    frame = Frame(1004, 1, b"{}", hashlib.sha1(b"{}").digest(), format=1)
    with pytest.raises(MalformedBody, match="format 1"):
        open_frame(frame, PLAIN)
