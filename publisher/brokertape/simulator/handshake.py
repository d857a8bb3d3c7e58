"""InitConnect as the gateway sees it: which encryption the session gets, and the reply. No I/O.

With a key file the request is RSA-encrypted whatever it asks for; its reply is too, unless it asks for no encryption.
An IV is handed out in any case, as the vendor's own logs show it: clients have to go by what they asked for.
"""

import secrets
from dataclasses import dataclass

from brokertape.gateway.encryption import Cipher, PacketEncAlgo, PlainCipher, RsaCipher, packet_cipher
from brokertape.gateway.errors import FrameTooLong, MalformedBody
from brokertape.gateway.framing import Frame, open_frame
from brokertape.gateway.messages import ProtoId, parse_request
from brokertape.gateway.refusals import OK
from brokertape.gateway_pb.v1 import session_pb2 as session
from brokertape.simulator.rules import FAILED, SERVER_VER

FIRST_LOGIN_USER_ID = 10_000_000
NIUNIU = 1  # userAttribution: a Futu account, not a moomoo one
JSON = 1
MAX_REQUEST_BYTES = 64 << 10  # RSA is slow: more than this would hold up every other connection


@dataclass(frozen=True, slots=True)
class Handshake:
    """The gateway's reaction to InitConnect. A refused one has no session: `conn_id` is None."""

    reply: session.InitConnectResponse
    reply_cipher: Cipher
    session_cipher: Cipher
    conn_id: int | None
    wants_notify: bool


def read_request(frame: Frame, rsa: RsaCipher | None) -> session.InitConnectRequest:
    """The request a connection has to open with.

    Raises:
        FramingError: It is none, or not encrypted as the gateway is set up.
    """
    if frame.proto_id != ProtoId.INIT_CONNECT:
        raise MalformedBody(f"message {frame.proto_id} before InitConnect")
    if len(frame.body) > MAX_REQUEST_BYTES:
        raise FrameTooLong(f"InitConnect of {len(frame.body)} bytes")
    request = parse_request(frame.proto_id, open_frame(frame, rsa or PlainCipher()))
    assert isinstance(request, session.InitConnectRequest)
    return request


def accept(
    request: session.InitConnectRequest, rsa: RsaCipher | None, keep_alive_interval_s: int, login_user_id: int
) -> Handshake:
    """Open a session as the request wants it, if that can be."""
    algorithm = _algorithm(request, rsa)
    if algorithm is None or request.c2s.push_proto_fmt == JSON:
        return refuse(request, rsa, "packetEncAlgo, pushProtoFmt: not simulated")
    conn_id = secrets.randbits(63)
    aes_key, aes_cbc_iv = _sixteen_characters(), _sixteen_characters()
    s2c = session.InitConnectS2C(
        server_ver=SERVER_VER,
        login_user_id=login_user_id,
        conn_id=conn_id,
        conn_aes_key=aes_key,
        keep_alive_interval=keep_alive_interval_s,
        aes_cbc_iv=aes_cbc_iv,
        user_attribution=NIUNIU,
    )
    return Handshake(
        reply=session.InitConnectResponse(ret_type=OK, ret_msg="", s2c=s2c),
        reply_cipher=_reply_cipher(request, rsa),
        session_cipher=packet_cipher(algorithm, aes_key, aes_cbc_iv),
        conn_id=conn_id,
        wants_notify=request.c2s.recv_notify,
    )


def refuse(request: session.InitConnectRequest, rsa: RsaCipher | None, ret_msg: str) -> Handshake:
    """Do not open a session."""
    return Handshake(
        reply=session.InitConnectResponse(ret_type=FAILED, ret_msg=ret_msg),
        reply_cipher=_reply_cipher(request, rsa),
        session_cipher=PlainCipher(),
        conn_id=None,
        wants_notify=False,
    )


def _algorithm(request: session.InitConnectRequest, rsa: RsaCipher | None) -> PacketEncAlgo | None:
    if rsa is None:
        return PacketEncAlgo.NONE
    if not request.c2s.HasField("packet_enc_algo"):
        return PacketEncAlgo.FTAES_ECB
    try:
        return PacketEncAlgo(request.c2s.packet_enc_algo)
    except ValueError:
        return None


def _reply_cipher(request: session.InitConnectRequest, rsa: RsaCipher | None) -> Cipher:
    if rsa is None or request.c2s.packet_enc_algo == PacketEncAlgo.NONE:
        return PlainCipher()
    return rsa


def _sixteen_characters() -> str:
    return secrets.token_hex(8).upper()
