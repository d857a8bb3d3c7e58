"""InitConnect: what is asked for, and what its answer means."""

from dataclasses import replace
from pathlib import Path

import pytest

from brokertape.gateway.encryption import AesCbcCipher, Cipher, FtAesEcbCipher, PacketEncAlgo, PlainCipher, RsaCipher
from brokertape.gateway.errors import FrameTooLong, InitRefused, MalformedBody
from brokertape.gateway.framing import Frame, FrameDecoder, encode_frame
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.opening import MAX_INIT_BODY_BYTES, Opening
from brokertape.gateway_pb.v1 import session_pb2 as session
from support.scripted_gateway import AES_IV, AES_KEY

PLAIN = Opening("me", PacketEncAlgo.NONE, None)


def _reply(**changes: object) -> session.InitConnectResponse:
    s2c = session.InitConnectS2C(
        server_ver=1011,
        login_user_id=1,
        conn_id=7,
        conn_aes_key=AES_KEY,
        keep_alive_interval=10,
        aes_cbc_iv=AES_IV,
    )
    for name, value in changes.items():
        setattr(s2c, name, value)
    return session.InitConnectResponse(ret_type=0, s2c=s2c)


def _frame(reply: session.InitConnectResponse, cipher: Cipher | None = None) -> Frame:
    body = reply.SerializeToString()
    [frame] = FrameDecoder().receive_data(encode_frame(ProtoId.INIT_CONNECT, 1, body, cipher or PlainCipher()))
    return frame


def test_the_request_asks_for_notices_and_protobuf() -> None:
    """Our own client id, and pushes in a format we read whatever the gateway's setting."""
    c2s = PLAIN.request().c2s
    assert (c2s.client_id, c2s.recv_notify, c2s.packet_enc_algo, c2s.push_proto_fmt) == ("me", True, -1, 0)


def test_without_a_key_nothing_is_encrypted() -> None:
    """Request and reply are plain, and an IV that came all the same is not used."""
    assert isinstance(PLAIN.request_cipher, PlainCipher)
    terms = PLAIN.accept(_frame(_reply()))
    assert isinstance(terms.cipher, PlainCipher)
    assert (terms.conn_id, terms.server_ver) == (7, 1011)


@pytest.mark.parametrize(
    ("algorithm", "cipher"), [(PacketEncAlgo.AES_CBC, AesCbcCipher), (PacketEncAlgo.FTAES_ECB, FtAesEcbCipher)]
)
def test_with_a_key_both_ways_are_under_rsa(key_file: Path, algorithm: PacketEncAlgo, cipher: type[Cipher]) -> None:
    """What follows is under the AES key the reply hands out."""
    rsa = RsaCipher.from_file(key_file)
    opening = Opening("me", algorithm, rsa)
    assert opening.request_cipher is rsa
    assert isinstance(opening.accept(_frame(_reply(), rsa)).cipher, cipher)


def test_with_a_key_but_no_encryption_only_the_request_is_under_rsa(key_file: Path) -> None:
    """A gateway that has a key reads no plain InitConnect, but answers as it was asked to."""
    rsa = RsaCipher.from_file(key_file)
    opening = Opening("me", PacketEncAlgo.NONE, rsa)
    assert opening.request_cipher is rsa
    assert isinstance(opening.accept(_frame(_reply())).cipher, PlainCipher)


def test_a_refusal_carries_the_gateways_text() -> None:
    """Not logged in, for one."""
    with pytest.raises(InitRefused, match="请输入手机验证码"):
        PLAIN.accept(_frame(session.InitConnectResponse(ret_type=-1, ret_msg="请输入手机验证码")))


def test_a_reply_under_another_key_names_the_key_as_the_cause(key_file: Path, other_key_file: Path) -> None:
    """One line, with the setting to look at."""
    opening = Opening("me", PacketEncAlgo.AES_CBC, RsaCipher.from_file(key_file))
    with pytest.raises(InitRefused, match="RSA key is not the one of rsa_key_file"):
        opening.accept(_frame(_reply(), RsaCipher.from_file(other_key_file)))


def test_a_plain_reply_to_a_client_with_a_key_names_the_key_as_the_cause(key_file: Path) -> None:
    """A gateway without a key answers what cannot be decrypted."""
    opening = Opening("me", PacketEncAlgo.AES_CBC, RsaCipher.from_file(key_file))
    with pytest.raises(InitRefused, match="rsa_key_file"):
        opening.accept(_frame(_reply()))


def test_an_encrypted_reply_to_a_client_without_a_key_asks_for_it(key_file: Path) -> None:
    """The other way round."""
    with pytest.raises(InitRefused, match="set rsa_key_file"):
        PLAIN.accept(_frame(_reply(), RsaCipher.from_file(key_file)))


def test_cbc_without_an_iv_is_refused_with_what_to_try(key_file: Path) -> None:
    """An old gateway may not know CBC."""
    rsa = RsaCipher.from_file(key_file)
    with pytest.raises(InitRefused, match="another packet_enc_algo: aesCBCiv"):
        Opening("me", PacketEncAlgo.AES_CBC, rsa).accept(_frame(_reply(aes_cbc_iv=""), rsa))


def test_an_acceptance_without_terms_is_malformed() -> None:
    """Yes alone opens nothing."""
    with pytest.raises(MalformedBody):
        PLAIN.accept(_frame(session.InitConnectResponse(ret_type=0)))


def test_an_endless_reply_is_refused_before_it_is_decrypted(key_file: Path) -> None:
    """RSA over megabytes would stop the event loop for seconds."""
    rsa = RsaCipher.from_file(key_file)
    frame = replace(_frame(_reply(), rsa), body=bytes(MAX_INIT_BODY_BYTES + 1))
    with pytest.raises(FrameTooLong):
        Opening("me", PacketEncAlgo.AES_CBC, rsa).accept(frame)


@pytest.mark.parametrize(("interval_s", "period_s"), [(10, 8), (30, 24), (3600, 24), (0, 8), (-1, 8)])
def test_the_keep_alive_period_is_four_fifths_of_the_advised_interval(interval_s: int, period_s: float) -> None:
    """Within what the gateway tolerates, whatever it advises."""
    terms = PLAIN.accept(_frame(_reply(keep_alive_interval=interval_s)))
    assert terms.keep_alive_period_s == pytest.approx(period_s)
