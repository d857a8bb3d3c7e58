"""How to reach a gateway: every setting of the client with its default, checked once."""

import math
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from brokertape.gateway.encryption import PacketEncAlgo
from brokertape.gateway.errors import InvalidSettings

MAX_TIMEOUT_S = 30.0  # the budget's window: a slot held for longer would be worth more than its answer
MAX_RECONNECT_S = 600.0


def _new_client_id() -> str:
    # The gateway wants an id that is unique among its clients and leaves making one to them.
    return f"brokertape-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the gateway is and how to talk to it.

    `request_timeout_s`: 5 s, not the 12 s of the vendor's SDK, because the budget keeps a request's slot taken
    until its timeout; answers take well under a second. `rsa_key_file` is the private key the gateway is set up
    with, if it is. `packet_enc_algo` is by default AES_CBC with a key file and NONE without. Delays between
    attempts to connect grow from `reconnect_first_s` to `reconnect_max_s`.

    Raises:
        InvalidSettings: On construction, with a line that names the setting.
    """

    host: str = "127.0.0.1"
    port: int = 11111
    connect_timeout_s: float = 5.0
    request_timeout_s: float = 5.0
    reconnect_first_s: float = 1.0
    reconnect_max_s: float = 30.0
    rsa_key_file: Path | None = None
    packet_enc_algo: PacketEncAlgo | None = None
    client_id: str = field(default_factory=_new_client_id)

    def __post_init__(self) -> None:
        if not self.host or any(character.isspace() for character in self.host):
            raise InvalidSettings(f"gateway host {self.host!r}: give a host name or address")
        if not 0 < self.port < 1 << 16:
            raise InvalidSettings(f"gateway port {self.port}: give 1 to 65535")
        if not self.client_id.isprintable() or not 0 < len(self.client_id) <= 64:
            raise InvalidSettings(f"gateway client_id {self.client_id!r}: give 1 to 64 printable characters")
        self._check_seconds("connect_timeout_s", MAX_TIMEOUT_S)
        self._check_seconds("request_timeout_s", MAX_TIMEOUT_S)
        self._check_seconds("reconnect_max_s", MAX_RECONNECT_S)
        self._check_seconds("reconnect_first_s", self.reconnect_max_s)
        if self.rsa_key_file is None and self.packet_enc_algo not in (None, PacketEncAlgo.NONE):
            raise InvalidSettings(f"gateway packet_enc_algo {self.packet_enc_algo.name} needs an rsa_key_file")

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self.host}:{self.port}"

    @property
    def encryption(self) -> PacketEncAlgo:
        """What InitConnect asks for."""
        if self.packet_enc_algo is not None:
            return self.packet_enc_algo
        return PacketEncAlgo.NONE if self.rsa_key_file is None else PacketEncAlgo.AES_CBC

    def _check_seconds(self, name: str, most: float) -> None:
        seconds: float = getattr(self, name)
        if not (math.isfinite(seconds) and 0 < seconds <= most):
            raise InvalidSettings(f"gateway {name} {seconds:g}: give more than 0 and at most {most:g} s")
