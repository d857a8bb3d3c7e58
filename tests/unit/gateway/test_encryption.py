"""RSA for InitConnect, AES for the rest."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st

from brokertape.gateway.encryption import (
    AesCbcCipher,
    Cipher,
    FtAesEcbCipher,
    PacketEncAlgo,
    PlainCipher,
    RsaCipher,
    packet_cipher,
)
from brokertape.gateway.errors import KeyFileError, WrongDigest
from brokertape.gateway.framing import FrameDecoder, encode_frame, open_frame

KEY = b"0123456789ABCDEF"
IV = b"FEDCBA9876543210"
AES: list[Cipher] = [AesCbcCipher(KEY, IV), FtAesEcbCipher(KEY)]


@pytest.mark.parametrize("cipher", AES, ids=["cbc", "ft_ecb"])
def test_aes_gives_back_every_length(cipher: Cipher) -> None:
    """Up to 300 bytes, around every end of a block."""
    for length in range(301):
        plain = bytes(i % 251 for i in range(length))
        assert cipher.decrypt(cipher.encrypt(plain)) == plain


@pytest.mark.parametrize("cipher", AES, ids=["cbc", "ft_ecb"])
def test_aes_hides_what_it_took(cipher: Cipher) -> None:
    """No whole block travels as it is."""
    plain = bytes(range(100))
    assert plain[:16] not in cipher.encrypt(plain)


@given(st.binary(max_size=300), st.sampled_from(AES))
def test_aes_gives_back_any_bytes(plain: bytes, cipher: Cipher) -> None:
    """Trailing zeros and padding look-alikes are content too."""
    assert cipher.decrypt(cipher.encrypt(plain)) == plain


def test_every_cbc_packet_starts_from_the_same_iv() -> None:
    """The gateway keeps no state between packets, so equal bodies travel equally."""
    cipher = AesCbcCipher(KEY, IV)
    assert cipher.encrypt(b"body") == cipher.encrypt(b"body")


@pytest.mark.parametrize(("length", "remainder"), [(0, 0), (1, 1), (15, 15), (16, 0), (17, 1)])
def test_ft_ecb_ends_with_the_length_modulo_16(length: int, remainder: int) -> None:
    """Sixteen plain bytes close the packet: fifteen zeros and the remainder."""
    encrypted = FtAesEcbCipher(KEY).encrypt(b"x" * length)
    assert len(encrypted) == -(-length // 16) * 16 + 16
    assert encrypted[-16:] == bytes(15) + bytes([remainder])


@pytest.mark.parametrize("cipher", AES, ids=["cbc", "ft_ecb"])
@given(body=st.binary(max_size=64))
def test_what_cannot_be_decrypted_is_a_value_error(cipher: Cipher, body: bytes) -> None:
    """Any bytes either decrypt to something or raise ValueError, which `open_frame` knows."""
    try:
        cipher.decrypt(body)
    except ValueError:
        return


@pytest.mark.parametrize("trailer", [16, 255])
def test_ft_ecb_refuses_a_trailer_longer_than_a_block(trailer: int) -> None:
    """The last byte is a length below 16."""
    with pytest.raises(ValueError, match=str(trailer)):
        FtAesEcbCipher(KEY).decrypt(bytes(31) + bytes([trailer]))


@pytest.mark.parametrize(("length", "blocks"), [(1, 1), (100, 1), (101, 2), (250, 3)])
def test_rsa_travels_in_blocks_of_128_for_100_bytes(key_file: Path, length: int, blocks: int) -> None:
    """The piece size the vendor's SDK has built in for 1024-bit keys, and back."""
    cipher = RsaCipher.from_file(key_file)
    plain = bytes(range(250))[:length]
    encrypted = cipher.encrypt(plain)
    assert len(encrypted) == 128 * blocks
    assert cipher.decrypt(encrypted) == plain


def test_rsa_uses_longer_keys(long_key_file: Path) -> None:
    """2048 bit give blocks of 256, each as full as it can be."""
    cipher = RsaCipher.from_file(long_key_file)
    encrypted = cipher.encrypt(bytes(246))
    assert len(encrypted) == 512
    assert cipher.decrypt(encrypted) == bytes(246)


def test_rsa_refuses_part_of_a_block(key_file: Path) -> None:
    """A body that is no whole number of blocks is none of ours."""
    with pytest.raises(ValueError, match="whole blocks"):
        RsaCipher.from_file(key_file).decrypt(bytes(100))


@pytest.mark.parametrize("body", [b"", b"short", bytes(range(256))])
def test_a_body_under_another_rsa_key_fails_its_digest(key_file: Path, other_key_file: Path, body: bytes) -> None:
    """Whether decrypting fails or yields garbage, the digest tells; only an empty body needs no key."""
    ours, theirs = RsaCipher.from_file(key_file), RsaCipher.from_file(other_key_file)
    [frame] = FrameDecoder().receive_data(encode_frame(1001, 1, body, theirs))
    if not body:
        assert open_frame(frame, ours) == b""
        return
    with pytest.raises(WrongDigest):
        open_frame(frame, ours)


@pytest.mark.parametrize("cipher", [AesCbcCipher(KEY[::-1], IV), FtAesEcbCipher(KEY[::-1])], ids=["cbc", "ft_ecb"])
@pytest.mark.parametrize("theirs", AES, ids=["cbc", "ft_ecb"])
def test_a_body_under_another_aes_key_fails_its_digest(cipher: Cipher, theirs: Cipher) -> None:
    """Likewise for the packets after InitConnect, and for the other AES form."""
    [frame] = FrameDecoder().receive_data(encode_frame(1004, 1, b"some body", theirs))
    with pytest.raises(WrongDigest):
        open_frame(frame, cipher)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    length = bytes([size]) if size < 128 else bytes([0x82]) + size.to_bytes(2)
    return bytes([tag]) + length + content


def _short_key_pem() -> bytes:
    p, q, e = 2**255 - 19, 2**256 - 189, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = (0, p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p))
    der = _der(0x30, b"".join(_der(2, n.to_bytes(n.bit_length() // 8 + 1)) for n in numbers))
    return b"-----BEGIN RSA PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END RSA PRIVATE KEY-----\n"


def _elliptic_key_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (_short_key_pem(), "at least 1024"),
        (_elliptic_key_pem(), "another kind of key"),
        (b"no key at all", "no unencrypted PEM private key"),
    ],
    ids=["512 bit", "elliptic", "text"],
)
def test_a_key_file_that_cannot_be_used_says_why(tmp_path: Path, pem: bytes, says: str) -> None:
    """A short key, another kind and no key each get one line that names the file."""
    path = tmp_path / "key.pem"
    path.write_bytes(pem)
    with pytest.raises(KeyFileError, match=says) as caught:
        RsaCipher.from_file(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_key_file_says_so(tmp_path: Path) -> None:
    """The system's reason is kept."""
    with pytest.raises(KeyFileError, match="No such file"):
        RsaCipher.from_file(tmp_path / "none.pem")


def test_a_key_is_not_shown(key_file: Path) -> None:
    """A log line may hold the cipher, never the key."""
    assert repr(RsaCipher.from_file(key_file)) == "RsaCipher(1024 bit)"


def test_the_packet_cipher_is_the_one_asked_for() -> None:
    """An IV handed out on a plain connection does not make it encrypted."""
    key, iv = KEY.decode(), IV.decode()
    assert isinstance(packet_cipher(PacketEncAlgo.NONE, key, iv), PlainCipher)
    assert isinstance(packet_cipher(PacketEncAlgo.AES_CBC, key, iv), AesCbcCipher)
    assert isinstance(packet_cipher(PacketEncAlgo.FTAES_ECB, key, iv), FtAesEcbCipher)


@pytest.mark.parametrize(("key", "iv"), [("short", "F" * 16), ("é" * 16, "F" * 16), ("F" * 16, "")])
def test_key_and_iv_have_sixteen_characters(key: str, iv: str) -> None:
    """Anything else is refused by name."""
    with pytest.raises(ValueError, match="16 ASCII characters"):
        packet_cipher(PacketEncAlgo.AES_CBC, key, iv)
