"""The client's settings."""

import math
from pathlib import Path
from typing import Any

import pytest

from brokertape.gateway.encryption import PacketEncAlgo
from brokertape.gateway.errors import InvalidSettings
from brokertape.gateway.settings import GatewaySettings


def test_the_defaults_reach_a_local_gateway() -> None:
    """Port 11111 of this host, no encryption, a client id of our own."""
    settings = GatewaySettings()
    assert settings.address == "127.0.0.1:11111"
    assert settings.encryption is PacketEncAlgo.NONE
    assert settings.client_id.startswith("brokertape-")


def test_two_clients_have_two_ids() -> None:
    """The gateway wants them told apart."""
    assert GatewaySettings().client_id != GatewaySettings().client_id


def test_a_key_file_means_cbc_unless_another_form_is_asked_for() -> None:
    """As the vendor's SDK does; the gateway's own form can be chosen."""
    key = Path("key.pem")
    assert GatewaySettings(rsa_key_file=key).encryption is PacketEncAlgo.AES_CBC
    chosen = GatewaySettings(rsa_key_file=key, packet_enc_algo=PacketEncAlgo.FTAES_ECB)
    assert chosen.encryption is PacketEncAlgo.FTAES_ECB


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": ""},
        {"host": "a b"},
        {"port": 0},
        {"port": 65536},
        {"client_id": ""},
        {"client_id": "a\nb"},
        {"connect_timeout_s": 0.0},
        {"request_timeout_s": -1.0},
        {"request_timeout_s": 31.0},
        {"request_timeout_s": math.nan},
        {"reconnect_max_s": math.inf},
        {"reconnect_first_s": 31.0},
        {"packet_enc_algo": PacketEncAlgo.AES_CBC},
    ],
    ids=repr,
)
def test_a_setting_that_cannot_be_meant_is_named(wrong: dict[str, Any]) -> None:
    """One line, which starts with what is wrong."""
    with pytest.raises(InvalidSettings) as caught:
        GatewaySettings(**wrong)
    assert str(caught.value).startswith(f"gateway {next(iter(wrong))} ")
    assert "\n" not in str(caught.value)
