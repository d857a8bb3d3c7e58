"""InitConnect, the exchange that opens a session: what we ask for and what its acceptance fixes. No I/O."""

from dataclasses import dataclass

from brokertape.gateway.encryption import Cipher, PacketEncAlgo, PlainCipher, RsaCipher, packet_cipher
from brokertape.gateway.errors import FrameTooLong, InitRefused, MalformedBody, WrongDigest
from brokertape.gateway.framing import Frame, open_frame
from brokertape.gateway.messages import ProtoId, parse_response
from brokertape.gateway.refusals import OK
from brokertape.gateway_pb.v1 import session_pb2 as session

CLIENT_VER = 300  # what the vendor's SDK calls itself
PUSH_PROTOBUF = 0  # else the gateway's own setting decides, which may be JSON
MAX_INIT_BODY_BYTES = 64 << 10  # decrypting RSA is slow: megabytes of it would hold up everything else

# The gateway cuts a connection that was silent for 30 s. An advised interval that cannot be meant is replaced.
KEEP_ALIVE_FRACTION = 0.8
DEFAULT_KEEP_ALIVE_INTERVAL_S = 10
MAX_KEEP_ALIVE_INTERVAL_S = 30


@dataclass(frozen=True, slots=True)
class Terms:
    """What holds for the rest of an accepted session."""

    conn_id: int
    server_ver: int
    login_user_id: int
    """Whose account it is; 0 if the gateway does not say."""
    keep_alive_period_s: float
    cipher: Cipher


@dataclass(frozen=True, slots=True)
class Opening:
    """How sessions are opened: asking for `algorithm`, under `rsa` when the gateway has a key."""

    client_id: str
    algorithm: PacketEncAlgo
    rsa: RsaCipher | None

    @property
    def request_cipher(self) -> Cipher:
        """How InitConnect travels."""
        return self.rsa or PlainCipher()

    @property
    def reply_cipher(self) -> Cipher:
        """How its reply travels: plain when no encryption was asked for."""
        return PlainCipher() if self.algorithm is PacketEncAlgo.NONE else self.request_cipher

    def request(self) -> session.InitConnectRequest:
        """The InitConnect to send."""
        return session.InitConnectRequest(
            c2s=session.InitConnectC2S(
                client_ver=CLIENT_VER,
                client_id=self.client_id,
                recv_notify=True,
                packet_enc_algo=self.algorithm,
                push_proto_fmt=PUSH_PROTOBUF,
            )
        )

    def accept(self, frame: Frame) -> Terms:
        """The terms in an InitConnect reply.

        Raises:
            InitRefused: With the gateway's reason, or what is most likely wrong with the encryption.
            FramingError: It is no InitConnect reply.
        """
        reply = self._read(frame)
        if reply.ret_type != OK:
            raise InitRefused(f"{reply.ret_msg or 'no reason given'} (retType {reply.ret_type})")
        if not reply.HasField("s2c"):
            raise MalformedBody("InitConnectResponse accepts without terms")
        try:
            cipher = packet_cipher(self.algorithm, reply.s2c.conn_aes_key, reply.s2c.aes_cbc_iv)
        except ValueError as error:
            raise InitRefused(
                f"no {self.algorithm.name} with this gateway, try another packet_enc_algo: {error}"
            ) from error
        terms = reply.s2c
        return Terms(terms.conn_id, terms.server_ver, terms.login_user_id, _keep_alive_period_s(terms), cipher)

    def _read(self, frame: Frame) -> session.InitConnectResponse:
        if len(frame.body) > MAX_INIT_BODY_BYTES:
            raise FrameTooLong(f"InitConnect reply of {len(frame.body)} bytes, more than {MAX_INIT_BODY_BYTES}")
        try:
            plain = open_frame(frame, self.reply_cipher)
        except WrongDigest as error:
            raise InitRefused(self._likely_cause()) from error
        reply = parse_response(ProtoId.INIT_CONNECT, plain)
        assert isinstance(reply, session.InitConnectResponse)  # what that id stands for
        return reply

    def _likely_cause(self) -> str:
        if self.rsa is None:
            return "cannot read the InitConnect reply: most likely the gateway has an RSA key, set rsa_key_file to it"
        return "cannot read the InitConnect reply: most likely the gateway's RSA key is not the one of rsa_key_file"


def _keep_alive_period_s(terms: session.InitConnectS2C) -> float:
    interval_s = terms.keep_alive_interval
    if interval_s <= 0:
        interval_s = DEFAULT_KEEP_ALIVE_INTERVAL_S
    return KEEP_ALIVE_FRACTION * min(interval_s, MAX_KEEP_ALIVE_INTERVAL_S)
