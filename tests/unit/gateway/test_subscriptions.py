"""Which quotes are to be pushed, across sessions."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from google.protobuf.message import Message

from brokertape.gateway.errors import InvalidCode, LinkLost, NotConnected, QuotaExhausted, UnsubscribedTooSoon
from brokertape.gateway.messages import ProtoId
from brokertape.gateway.subscriptions import QuoteSubscriptions
from brokertape.gateway_pb.v1 import quote_pb2 as quote
from support.waiting import until

CODES = [f"HK.{i:05d}" for i in range(250)]
YES = quote.QotSubResponse(ret_type=0)
UNKNOWN = quote.QotSubResponse(ret_type=-1, ret_msg="未知股票 00002")
UNNAMED = quote.QotSubResponse(ret_type=-1, ret_msg="未知股票")
NO_QUOTA = quote.QotSubResponse(ret_type=-1, ret_msg="订阅额度不足，订阅失败，已用订阅额度：100/100")


class Answers:
    """A session that answers from a list, and as usual when the list is used up, while its gate is open."""

    def __init__(self) -> None:
        self.requests: list[quote.QotSubC2S] = []
        self.next: deque[Message | Exception] = deque()
        self.has_quota = True
        self.unknown, self.refusal = "", YES
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, proto_id: ProtoId, request: Message) -> Message:
        """Answer one subscription request."""
        assert proto_id is ProtoId.QOT_SUB
        assert isinstance(request, quote.QotSubRequest)
        self.requests.append(request.c2s)
        await asyncio.sleep(0)
        await self.gate.wait()
        usual = YES if self.has_quota or not request.c2s.is_sub_or_un_sub else NO_QUOTA
        if self.unknown in self.codes()[-1]:
            return self.refusal
        answer = self.next.popleft() if self.next else usual
        if isinstance(answer, Exception):
            raise answer
        return answer

    def codes(self) -> list[list[str]]:
        """The codes of each request."""
        return [[f"HK.{security.code}" for security in c2s.security_list] for c2s in self.requests]


@pytest.fixture
def answers() -> Answers:
    """A session that says yes until told otherwise."""
    return Answers()


@pytest.fixture
def subscriptions(answers: Answers) -> QuoteSubscriptions:
    """Subscriptions over that session, which do not wait between attempts."""
    return QuoteSubscriptions(answers.ask, lambda: itertools.repeat(0.0))


@asynccontextmanager
async def _kept(subscriptions: QuoteSubscriptions) -> AsyncIterator[None]:
    task = asyncio.create_task(subscriptions.keep())
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_codes_are_subscribed_a_hundred_at_a_time(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """And remembered."""
    await subscriptions.subscribe(CODES)
    assert [len(codes) for codes in answers.codes()] == [100, 100, 50]
    assert subscriptions.codes == set(CODES)


async def test_a_batch_that_fails_stays_out(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """What went before it is subscribed, what would follow is not tried."""
    answers.next += [YES, NO_QUOTA]
    with pytest.raises(QuotaExhausted):
        await subscriptions.subscribe(CODES)
    assert subscriptions.codes == set(CODES[:100])
    assert len(answers.requests) == 2


async def test_a_wrong_code_sends_nothing(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """It is told before its batch leaves."""
    with pytest.raises(InvalidCode):
        await subscriptions.subscribe(["HK.00700", "AAPL"])
    assert not answers.requests


async def test_a_code_given_back_is_forgotten(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """It is not sent again with the next session."""
    await subscriptions.subscribe(CODES[:2])
    await subscriptions.unsubscribe(CODES[:1])
    assert subscriptions.codes == {CODES[1]}
    assert not answers.requests[-1].is_sub_or_un_sub


async def test_a_code_given_back_too_soon_stays(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """The gateway goes on pushing it, so it is still subscribed."""
    await subscriptions.subscribe(CODES[:1])
    answers.next.append(quote.QotSubResponse(ret_type=-1, ret_msg="订阅时间过短，至少需要订阅1分钟"))
    with pytest.raises(UnsubscribedTooSoon):
        await subscriptions.unsubscribe(CODES[:1])
    assert subscriptions.codes == {CODES[0]}


async def test_a_new_session_gets_all_of_them(subscriptions: QuoteSubscriptions, answers: Answers) -> None:
    """In batches again; nothing survives a session at the gateway."""
    await subscriptions.subscribe(CODES)
    answers.requests.clear()
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) == 3)
    assert set(itertools.chain(*answers.codes())) == set(CODES)


async def test_restoring_sends_them_again_in_the_same_session(
    subscriptions: QuoteSubscriptions, answers: Answers
) -> None:
    """As after the gateway's own backend was away."""
    await subscriptions.subscribe(CODES[:1])
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) == 2)
        subscriptions.restore()
        await until(lambda: len(answers.requests) == 3)


async def test_what_is_refused_is_tried_again_until_accepted(
    subscriptions: QuoteSubscriptions, answers: Answers
) -> None:
    """Only that: the batches that were accepted are not sent twice."""
    await subscriptions.subscribe(CODES)
    answers.requests.clear()
    answers.next += [YES, NO_QUOTA, YES, NO_QUOTA, YES]
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) == 5)
    second = CODES[100:200]
    assert answers.codes()[3:] == [second, second]


async def test_what_was_given_back_meanwhile_is_not_tried_again(
    subscriptions: QuoteSubscriptions, answers: Answers
) -> None:
    """The refused batch goes on without it."""
    await subscriptions.subscribe(CODES[:2])
    answers.has_quota = False
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) > 2)
        await subscriptions.unsubscribe(CODES[:1])
        answers.requests.clear()
        await until(lambda: answers.requests)
    assert answers.codes()[0] == CODES[1:2]


@pytest.mark.parametrize("is_restored", [False, True])
async def test_codes_are_given_back_only_after_a_subscription_under_way(
    subscriptions: QuoteSubscriptions, answers: Answers, is_restored: bool
) -> None:
    """Else the gateway could push what nobody remembers, or the other way round."""
    if is_restored:
        await subscriptions.subscribe(CODES[:1])
        answers.requests.clear()
    answers.gate.clear()
    work = subscriptions.keep() if is_restored else subscriptions.subscribe(CODES[:1])
    subscribing = asyncio.create_task(work)
    await until(lambda: answers.requests)
    given_back = asyncio.create_task(subscriptions.unsubscribe(CODES[:1]))
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(answers.requests) == 1
    answers.gate.set()
    await given_back
    subscribing.cancel()
    await asyncio.wait([subscribing])
    assert [c2s.is_sub_or_un_sub for c2s in answers.requests] == [True, False]
    assert subscriptions.codes == set()


@pytest.mark.parametrize("error", [LinkLost("gone"), NotConnected("gone")])
async def test_keeping_ends_with_the_session(
    subscriptions: QuoteSubscriptions, answers: Answers, error: Exception
) -> None:
    """The codes are kept for the next one."""
    await subscriptions.subscribe(CODES[:1])
    answers.next.append(error)
    with pytest.raises(type(error)):
        await subscriptions.keep()
    assert subscriptions.codes == {CODES[0]}


async def test_what_a_session_has_not_taken_again_is_not_pushed(
    subscriptions: QuoteSubscriptions, answers: Answers
) -> None:
    """Refused or not yet answered: whoever relies on pushed quotes must know."""
    await subscriptions.subscribe(CODES[:150])
    assert subscriptions.accepted == set(CODES[:150])
    answers.next.extend([YES, NO_QUOTA])
    answers.has_quota = False
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) > 4)
        assert subscriptions.accepted == set(CODES[:100])
        answers.has_quota = True
        await until(lambda: subscriptions.accepted == subscriptions.codes)


@pytest.mark.parametrize(("refusal", "requests"), [(UNKNOWN, 2), (UNNAMED, 7)])
async def test_a_code_that_is_gone_does_not_keep_the_others_out(
    subscriptions: QuoteSubscriptions, answers: Answers, refusal: quote.QotSubResponse, requests: int
) -> None:
    """Named in the refusal or found by halves, it is dropped: delisted overnight, say."""
    await subscriptions.subscribe(CODES[:8])
    answers.requests.clear()
    answers.unknown, answers.refusal = CODES[2], refusal
    async with _kept(subscriptions):
        await until(lambda: len(answers.requests) == requests)
        await until(lambda: subscriptions.accepted == subscriptions.codes)
    assert subscriptions.codes == set(CODES[:8]) - {CODES[2]}
    assert len(answers.requests) == requests
