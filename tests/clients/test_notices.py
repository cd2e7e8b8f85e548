"""The relay's notices on a device (`clients/notices.py`): believed under one key, kept, handed out once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from blindrelay.clients import Device, Enterprise, IdentityRejected, News
from blindrelay.clients.connection import Connection
from blindrelay.clients.vault import CHEAP
from blindrelay.protocol.notices import NoticeBody, NoticePage, ServiceNotice
from blindrelay.protocol.rpc import NOTICES
from blindrelay.protocol.statements import Purpose, Signed
from blindrelay.relay.server import Relay
from support import people, site
from support.orders import notice_order
from support.people import SOON

Lie = Callable[[NoticePage], NoticePage]


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[Relay]:
    """A relay with a desk."""
    async with site.relay_in(tmp_path / "relay", desk={"enabled": True, "https_port": 0}) as relay:
        yield relay


@pytest.fixture
async def globe(relay: Relay) -> AsyncIterator[Enterprise]:
    """globex.example."""
    async with people.enterprise(relay, "globex.example") as enterprise:
        yield enterprise


@pytest.fixture
async def bob(globe: Enterprise) -> AsyncIterator[Device]:
    """bob's phone, which knows the relay's key."""
    async with await people.person(globe, "bob") as device:
        await device.fetch_notices()
        yield device


@pytest.fixture
def lie(monkeypatch: pytest.MonkeyPatch) -> Callable[[Lie], None]:
    """Makes the relay answer otherwise when it is asked for notices."""

    def tell(change: Lie) -> None:
        honest = Connection.call

        async def call(self: Connection, method: object, request: object, timeout: float | None = None) -> object:  # noqa: ASYNC109
            answer = await honest(self, method, request, timeout)  # type: ignore[arg-type, var-annotated]
            return change(answer) if method is NOTICES else answer

        monkeypatch.setattr(Connection, "call", call)

    return tell


def forged(key: ec.EllipticCurvePrivateKey) -> Signed:
    """Somebody else's word that the service is suspended."""
    notice = ServiceNotice(
        id="service/x", issued_at=1, jurisdiction="us", state="suspended", effective=None, ordered_by="nobody"
    )
    return Signed.create(Purpose.NOTICE, NoticeBody(notice=notice), key)


def another_key(page: NoticePage) -> NoticePage:
    return page.model_copy(update={"certificate": b"another"})


def no_key(page: NoticePage) -> NoticePage:
    return page.model_copy(update={"certificate": b""})


def another_signature(page: NoticePage) -> NoticePage:
    return page.model_copy(update={"notices": (forged(ec.generate_private_key(ec.SECP256R1())),)})


def another_body(page: NoticePage) -> NoticePage:
    (first,) = page.notices
    changed = Signed(body=first.body.replace(b"District", b"Distract"), signature=first.signature)
    return page.model_copy(update={"notices": (changed,)})


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (another_key, "notice key"),
        (no_key, "notice key"),
        (another_signature, "signature"),
        (another_body, "signature"),
    ],
)
async def test_what_is_not_signed_by_the_key_of_before_is_not_believed(
    relay: Relay, bob: Device, lie: Callable[[Lie], None], change: Lie, check: str
) -> None:
    """The check that failed is named, nothing is kept, and the notice is not acknowledged: the true one comes later."""
    lie(change)
    await relay.notices.give(notice_order("bob@globex.example"))

    with pytest.raises(IdentityRejected) as rejected:
        await bob.fetch_notices()

    assert rejected.value.check == check
    assert bob.kept_notices() == []


async def test_a_notice_about_somebody_else_is_not_believed(
    relay: Relay, globe: Enterprise, bob: Device, lie: Callable[[Lie], None]
) -> None:
    """Though the relay has signed it: it was not for us."""
    async with await people.person(globe, "carol") as carol:
        await relay.notices.give(notice_order("carol@globex.example"))
        (hers,) = await carol.fetch_notices()
    lie(lambda page: page.model_copy(update={"notices": (hers.signed,)}))

    with pytest.raises(IdentityRejected, match="somebody else"):
        await bob.fetch_notices()


async def test_a_lie_shows_among_the_updates(relay: Relay, bob: Device, lie: Callable[[Lie], None]) -> None:
    """Who follows the news of a device hears that something came that is not to be believed."""
    lie(another_signature)
    updates = bob.updates()
    waiting = asyncio.ensure_future(anext(updates))
    await asyncio.sleep(0)
    await relay.notices.give(notice_order("bob@globex.example"))

    update = await asyncio.wait_for(waiting, SOON)

    assert update.news is News.UNREADABLE
    assert "signature" in update.reason


async def test_each_notice_is_handed_out_once_over_restarts(relay: Relay, globe: Enterprise, tmp_path: Path) -> None:
    """An application that comes back goes on where it was; all of them stay in the key store."""
    folder = tmp_path / "bob"
    await globe.issue("bob", "phone", folder, "secret", cost=CHEAP)
    for number in range(2):
        await relay.notices.give(notice_order("bob@globex.example", case=f"case-{number}"))
    told: list[str] = []
    for _ in range(2):
        async with Device.open(folder, "secret", globe.relay, options=people.BRISK) as bob:
            told.append((await asyncio.wait_for(anext(aiter(bob.notices())), SOON)).id)
            kept = len(bob.kept_notices())

    assert told == ["case-0/d1/bob@globex.example", "case-1/d1/bob@globex.example"]
    assert kept == 2


async def test_waiting_for_notices_ends_with_the_device(globe: Enterprise) -> None:
    """The iteration ends when the device is left."""
    async with await people.person(globe, "dora") as dora:
        listening = asyncio.ensure_future(_all(dora))
        await asyncio.sleep(0)

    assert await asyncio.wait_for(listening, SOON) == 0


async def _all(device: Device) -> int:
    count = 0
    async for _ in device.notices():
        count += 1
    return count


async def test_a_signature_for_another_purpose_is_none(relay: Relay, bob: Device, lie: Callable[[Lie], None]) -> None:
    """What the desk signs as something else, a canary say, is no notice."""
    identity = relay.desk_identity
    assert identity is not None
    body = NoticeBody(notice=forged_notice())
    signed = Signed.create_with(Purpose.CANARY, body, identity.sign)
    lie(lambda page: page.model_copy(update={"notices": (signed,)}))

    with pytest.raises(IdentityRejected, match="signature"):
        await bob.fetch_notices()


def forged_notice() -> ServiceNotice:
    return ServiceNotice(id="x", issued_at=1, jurisdiction="us", state="running", effective=None, ordered_by="x")
