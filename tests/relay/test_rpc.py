"""Requests: whatever is sent, an answer comes that says what was wrong, and nobody else notices."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blindrelay.protocol import rpc
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.rpc import MAX_REQUEST, METHODS, Answer, ErrorCode
from blindrelay.relay import config
from blindrelay.relay.errors import RequestRefused, StoreFull
from blindrelay.relay.identity import DeviceIdentity, Registrar
from blindrelay.relay.limits import Limits
from blindrelay.relay.rpc import Rpc
from blindrelay.relay.server import Relay
from support import site
from support.site import connected
from support.tenants import Tenant
from support.wire import Refused

pytestmark = pytest.mark.both_engines

ALICE = DeviceIdentity(DeviceAddress("acme.example", "alice", "laptop"), 1, b"", b"", 2e9)

Handler = Callable[[Any, Any], Awaitable[Any]]


def desk(handler: Handler | None = None, *, stands: bool = True, **limits: Any) -> Rpc:
    """An rpc whose methods all do what `handler` does."""

    async def nothing(_: Any, __: Any) -> rpc.Wire:
        return rpc.Empty()

    handlers = dict.fromkeys(METHODS, handler or nothing)
    return Rpc(handlers, Limits(config.Limits(**limits), SystemClock()), lambda _: stands)


async def answer(asked: Rpc, method: str = "prekeys.count", payload: bytes = b"{}", who: Any = ALICE) -> Answer:
    """The answer to a request."""
    return Answer.model_validate_json(await asked(who, method, payload))


async def code(asked: Rpc, method: str = "prekeys.count", payload: bytes = b"{}", who: Any = ALICE) -> ErrorCode:
    """The code that a request is refused with."""
    found = await answer(asked, method, payload, who)
    assert found.error is not None
    assert found.result is None
    assert found.error.message
    return found.error.code


async def test_a_request_is_answered() -> None:
    """Exactly one of result and error is there."""
    found = await answer(desk())
    assert found.error is None
    assert found.result == {}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe",
        b'{"user": 1}',
        b'{"user": "bob"}',
        b'{"user": "bob@globex.example", "more": 1}',
        b'{"user": "+@globex.example"}',
        b'{"user": "bob@globex.example/../x"}',
        b'{"user": "\xed\xa0\x80@globex.example"}',
        b"[" * 60_000,
        b'{"user":' * 8_000,
        b"9" * 60_000,
    ],
    ids=lambda payload: repr(payload[:24]),
)
async def test_malformed_requests_get_a_sentence(payload: bytes) -> None:
    """What is not the method's request is refused as malformed, whatever it is."""
    assert await code(desk(), "directory.lookup", payload) is ErrorCode.MALFORMED


@given(payload=st.binary(max_size=200), method=st.sampled_from(sorted(METHODS)))
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=200)
async def test_no_bytes_are_too_strange(payload: bytes, method: str) -> None:
    """Any bytes to any method get an answer that our own model reads."""
    await answer(desk(), method, payload)


async def test_what_was_sent_is_not_repeated() -> None:
    """A refusal does not carry the request back: it would be an echo of whatever somebody put in."""
    found = await answer(desk(), "directory.lookup", b'{"user": "bob@globex.example", "x": "SECRETSECRET"}')
    assert "SECRET" not in found.model_dump_json()


async def test_unknown_methods_are_unknown() -> None:
    """A method that is not in the protocol does not exist, whatever its name."""
    for method in ("no.such", "", "__class__", "prekeys"):
        assert await code(desk(), method) is ErrorCode.UNKNOWN_METHOD


async def test_a_method_of_somebody_else_s_is_refused() -> None:
    """Though `access` has refused it before, the rpc does not rely on that."""
    assert await code(desk(), "device.revoke") is ErrorCode.NOT_AUTHORISED
    assert await code(desk(), "account.my_data", who=Registrar()) is ErrorCode.NOT_AUTHORISED


async def test_who_does_not_stand_is_not_heard() -> None:
    """A request that waited while its sender was revoked is refused."""
    assert await code(desk(stands=False)) is ErrorCode.NOT_AUTHORISED


async def test_too_large_a_request_is_refused() -> None:
    """A request is bounded, whoever let it through."""
    assert await code(desk(), payload=b" " * MAX_REQUEST + b"{}") is ErrorCode.MALFORMED


async def test_too_many_requests_are_refused() -> None:
    """Beyond its burst an identity is told to wait; another one is not."""
    asked = desk(request_rate=0.001, request_burst=3)
    assert [(await answer(asked)).error for _ in range(2)] == [None, None]
    assert await code(asked) is ErrorCode.RATE_LIMITED
    other = DeviceIdentity(DeviceAddress("acme.example", "bob", "phone"), 2, b"", b"", 2e9)
    assert (await answer(asked, who=other)).error is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RequestRefused(ErrorCode.CONFLICT, "no"), ErrorCode.CONFLICT),
        (VerificationFailed("chain", "broken"), ErrorCode.VERIFICATION_FAILED),
        (Malformed("odd"), ErrorCode.MALFORMED),
        (StoreFull("full"), ErrorCode.UNAVAILABLE),
        (KeyError("a bug with SECRET in it"), ErrorCode.UNAVAILABLE),
        (Malformed("x" * 1_000), ErrorCode.MALFORMED),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_errors_become_answers(error: Exception, expected: ErrorCode) -> None:
    """Each kind of error has its code; a bug of ours is an answer too, and its text stays here."""

    async def failing(_: Any, __: Any) -> rpc.Wire:
        raise error

    asked = desk(failing)
    assert await code(asked) is expected
    assert "SECRET" not in (await answer(asked)).model_dump_json()


async def test_malformed_requests_on_the_wire(relay: Relay, acme: Tenant) -> None:
    """A malformed or unknown request is answered, and the connection goes on."""
    async with connected(relay, acme.device("alice", "laptop")) as client:
        for payload, name, expected in (
            (b"\x00\xff", None, ErrorCode.MALFORMED),
            (b"{}", "no.such", ErrorCode.UNKNOWN_METHOD),
        ):
            with pytest.raises(Refused) as caught:
                await client.call(rpc.LOOK_UP_USER, payload, name)
            assert caught.value.code is expected
        assert (await client.call(rpc.COUNT_PREKEYS, rpc.Empty())).one_time == 0


async def test_my_data_is_one_s_own(tmp_path: Path) -> None:
    """A user gets the records of all own devices, and none of anybody else's."""
    async with site.relay_in(tmp_path / "relay") as relay:
        acme = await site.register(relay, Tenant("acme.example", tmp_path))
        alice, phone, bob = (acme.device(*name) for name in (("alice", "laptop"), ("alice", "phone"), ("bob", "phone")))
        async with connected(relay, alice) as client, connected(relay, phone), connected(relay, bob) as other:
            await client.publish(bob.device)
            await other.publish(bob.device)
            records = (await client.call(rpc.MY_DATA, rpc.Empty())).records
    assert len(records["SubscriberRecord"]) == 2
    assert len(records["AccessRecord"]) == 2
    assert len(records["TrafficRecord"]) == 1
