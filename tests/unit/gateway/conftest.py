"""Gateways, keys and clients' memory for the gateway tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.scripted_gateway import ScriptedGateway


def _write_key(path: Path, bits: int) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return path


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key as the gateway's users make it."""
    return _write_key(tmp_path_factory.mktemp("key") / "key.pem", 1024)


@pytest.fixture(scope="session")
def other_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another such key."""
    return _write_key(tmp_path_factory.mktemp("key") / "other.pem", 1024)


@pytest.fixture(scope="session")
def long_key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A longer key than the vendor's SDK can use."""
    return _write_key(tmp_path_factory.mktemp("key") / "long.pem", 2048)


@pytest.fixture
async def gateway() -> AsyncIterator[ScriptedGateway]:
    """A gateway without a key that accepts and answers."""
    async with ScriptedGateway() as gateway:
        yield gateway
