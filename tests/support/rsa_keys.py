"""Private keys as the gateway's users make them, made afresh: nothing secret lies in the tree."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def write_key(path: Path, bits: int = 1024) -> Path:
    """Write a PKCS#1 PEM file; 1024 bits are what the vendor's SDK can use."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path
