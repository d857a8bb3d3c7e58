"""Keys for the simulated gateway's tests."""

from pathlib import Path

import pytest

from support.rsa_keys import write_key


@pytest.fixture(scope="session")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key as the gateway's users make it."""
    return write_key(tmp_path_factory.mktemp("key") / "key.pem")
