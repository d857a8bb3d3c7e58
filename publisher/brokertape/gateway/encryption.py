"""The gateway's encryption: RSA for the opening exchange, AES for all that follows. Only when a key file is set.

Both sides hold the same private key file (PKCS#1 PEM). InitConnect travels as RSA PKCS#1 v1.5 blocks in both
directions; its reply hands out a 16-character AES key, and an IV when CBC was asked for. (The vendor's protocol
pages of 2020 and SDK 10.11.7108, which agree to the byte.)
"""

from enum import IntEnum
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import padding as block_padding
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher as BlockCipher
from cryptography.hazmat.primitives.ciphers import algorithms, modes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from brokertape.gateway.errors import KeyFileError

BLOCK_BYTES = 16
MIN_RSA_BITS = 1024
MAX_KEY_FILE_BYTES = 64 << 10


class PacketEncAlgo(IntEnum):
    """What InitConnect asks for: how the packets after it are encrypted."""

    FTAES_ECB = 0
    AES_CBC = 2
    NONE = -1


class Cipher(Protocol):
    """Turns a plain body into what travels, and back. `decrypt` raises ValueError for bytes it cannot read."""

    def encrypt(self, plain: bytes) -> bytes:
        """What travels."""

    def decrypt(self, body: bytes) -> bytes:
        """What was meant."""


class PlainCipher:
    """No encryption."""

    def encrypt(self, plain: bytes) -> bytes:
        """`plain` itself."""
        return plain

    def decrypt(self, body: bytes) -> bytes:
        """`body` itself."""
        return body


class RsaCipher:
    """RSA PKCS#1 v1.5 in pieces, as InitConnect travels when a key file is set.

    A 1024-bit key takes 100 plain bytes a piece, which is what the vendor's SDK has built in. For longer keys the
    gateway's piece size is unconfirmed; the largest that fits is used, and any size is accepted when reading.
    """

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key
        self._block_bytes = key.key_size // 8
        self._piece_bytes = 100 if key.key_size == MIN_RSA_BITS else self._block_bytes - 11

    @classmethod
    def from_file(cls, path: Path) -> "RsaCipher":
        """The cipher of a private key file.

        Raises:
            KeyFileError: With a line that says what is wrong with the file.
        """
        try:
            with path.open("rb") as file:
                pem = file.read(MAX_KEY_FILE_BYTES)
        except OSError as error:
            raise KeyFileError(f"RSA key file {path}: {error.strerror}") from error
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            # Keys under 1024 bit are refused by some versions of the library already while loading.
            raise KeyFileError(
                f"RSA key file {path} is no unencrypted PEM private key of at least {MIN_RSA_BITS} bit"
            ) from error
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyFileError(f"RSA key file {path} holds another kind of key than RSA")
        if key.key_size < MIN_RSA_BITS:
            raise KeyFileError(f"RSA key file {path} has {key.key_size} bit: use at least {MIN_RSA_BITS}")
        return cls(key)

    def encrypt(self, plain: bytes) -> bytes:
        """Blocks encrypted with the public half."""
        public = self._key.public_key()
        pieces = [plain[i : i + self._piece_bytes] for i in range(0, len(plain), self._piece_bytes)]
        return b"".join(public.encrypt(piece, padding.PKCS1v15()) for piece in pieces)

    def decrypt(self, body: bytes) -> bytes:
        """The plain bytes by the private half; garbage, not an error, may come out for a wrong key."""
        if len(body) % self._block_bytes:
            raise ValueError(f"{len(body)} bytes are not whole blocks of {self._block_bytes}")
        blocks = [body[i : i + self._block_bytes] for i in range(0, len(body), self._block_bytes)]
        return b"".join(self._key.decrypt(block, padding.PKCS1v15()) for block in blocks)

    def __repr__(self) -> str:
        return f"RsaCipher({self._key.key_size} bit)"


class AesCbcCipher:
    """AES-128-CBC with PKCS#7 padding; every packet starts from the same IV, as the gateway wants it."""

    def __init__(self, key: bytes, iv: bytes) -> None:
        self._cipher = BlockCipher(algorithms.AES(key), modes.CBC(iv))

    def encrypt(self, plain: bytes) -> bytes:
        """Padded and encrypted."""
        padder = block_padding.PKCS7(8 * BLOCK_BYTES).padder()
        encryptor = self._cipher.encryptor()
        return encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, body: bytes) -> bytes:
        """Decrypted and unpadded."""
        decryptor = self._cipher.decryptor()
        unpadder = block_padding.PKCS7(8 * BLOCK_BYTES).unpadder()
        return unpadder.update(decryptor.update(body) + decryptor.finalize()) + unpadder.finalize()


class FtAesEcbCipher:
    """The gateway's own AES-128-ECB form: zero padding, then 16 plain bytes, the last of them the length mod 16."""

    def __init__(self, key: bytes) -> None:
        self._cipher = BlockCipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - the gateway's protocol

    def encrypt(self, plain: bytes) -> bytes:
        """Zero-padded, encrypted, with the trailer."""
        remainder = len(plain) % BLOCK_BYTES
        padded = plain + bytes(-len(plain) % BLOCK_BYTES)
        encryptor = self._cipher.encryptor()
        return encryptor.update(padded) + encryptor.finalize() + bytes(BLOCK_BYTES - 1) + bytes([remainder])

    def decrypt(self, body: bytes) -> bytes:
        """Without the trailer, decrypted, cut to its true length."""
        if len(body) < BLOCK_BYTES or len(body) % BLOCK_BYTES:
            raise ValueError(f"{len(body)} bytes are not whole blocks of {BLOCK_BYTES}")
        remainder = body[-1]
        if remainder >= BLOCK_BYTES:
            raise ValueError(f"trailer says {remainder} bytes in a block of {BLOCK_BYTES}")
        decryptor = self._cipher.decryptor()
        plain = decryptor.update(body[:-BLOCK_BYTES]) + decryptor.finalize()
        return plain[: len(plain) - (BLOCK_BYTES - remainder)] if remainder else plain


def packet_cipher(algorithm: PacketEncAlgo, aes_key: str, aes_cbc_iv: str) -> Cipher:
    """The cipher of all packets after InitConnect, chosen by what was asked for, not by whether an IV came.

    Raises:
        ValueError: Key or IV are not 16 ASCII characters.
    """
    match algorithm:
        case PacketEncAlgo.NONE:
            return PlainCipher()
        case PacketEncAlgo.AES_CBC:
            return AesCbcCipher(_sixteen("connAESKey", aes_key), _sixteen("aesCBCiv", aes_cbc_iv))
        case PacketEncAlgo.FTAES_ECB:
            return FtAesEcbCipher(_sixteen("connAESKey", aes_key))


def _sixteen(name: str, text: str) -> bytes:
    if len(text) != BLOCK_BYTES or not text.isascii():
        raise ValueError(f"{name} has to be {BLOCK_BYTES} ASCII characters")
    return text.encode("ascii")
