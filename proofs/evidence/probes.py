"""Things that must not work, tried on real clients and on the desk: what somebody could do who has the relay, or is nobody.

Each is tried once and written down with what came of it; whether that is as it should be is for the checks.
"""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients import envelope
from blindrelay.clients.authority.desk import DeskClient, DeskRefused, http_client
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.clients.content import Chat, Letter, Retract
from blindrelay.clients.courier import new_id
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.errors import ClientError
from blindrelay.clients.postroom import Postroom
from blindrelay.policies.exchange import JOSE, CaseReference, StatusCall
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.proofs.evidence.cast import Cast
from blindrelay.proofs.evidence.lawful import OFFICER, Bench, Use
from blindrelay.proofs.evidence.manifest import Probe
from blindrelay.proofs.evidence.petitions import emergency
from blindrelay.proofs.evidence.workload import Workload
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import BlindrelayError
from blindrelay.protocol.officers import OfficerName
from blindrelay.protocol.rpc import DeviceEntry, UserEntry
from blindrelay.protocol.statements import DeviceStatement, Purpose, Signed

#: An answer to a stranger would be here by then. Seconds.
_MOMENT: Final = 0.5
_PATIENCE: Final = 10.0


def tried(name: str, about: Any, what: str, attempt: Callable[[], object]) -> Probe:
    """Try something that must raise, or give nothing."""
    try:
        answer = attempt()
    except (BlindrelayError, ValueError) as error:
        return Probe(name=name, about=about, tried=what, refused=True, answer=f"{type(error).__name__}: {error}")
    told = "nothing came of it" if answer is None else f"it was taken: {type(answer).__name__}"
    return Probe(name=name, about=about, tried=what, refused=answer is None, answer=told)


class ClientProbes:
    """What a relay could try on clients. Nobody is connected but where it says so.

    Args:
        database: the relay's, where an envelope waits that can be handed out again and elsewhere.
    """

    def __init__(self, cast: Cast, workload: Workload, database: Path, clock: Clock) -> None:
        self._cast = cast
        self._workload = workload
        self._database = database
        self._clock = clock

    async def carry_out(self) -> list[Probe]:
        """All of them. Raises `ClientError`, `LookupError`."""
        alice, bob, carol = (self._cast.device(name) for name in ("alice", "bob", "carol"))
        async with alice:
            receipt = await alice.send(bob.user, self._workload.words("a letter that is handed out twice"))
            await receipt.accepted(_PATIENCE)
        message_id, payload = self._newest(bob)
        found = list(self._sealed(bob, carol, message_id, payload))
        found += self._keys(bob)
        found.append(self._late(alice, bob))
        found.append(await self._stranger())
        return found

    def _newest(self, device: Device) -> tuple[bytes, bytes]:
        with contextlib.closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as database:
            rows = database.execute(
                "SELECT message_id, substr(payload, 1, size) FROM envelope JOIN device ON mailbox_id = account_id "
                "WHERE tenant || '/' || user || '/' || device = ? ORDER BY sequence DESC LIMIT 1",
                (str(device.address),),
            ).fetchone()
        if rows is None:
            raise LookupError(f"no envelope waits for {device.address}")
        return bytes(rows[0]), bytes(rows[1])

    def _sealed(self, bob: Device, carol: Device, message_id: bytes, payload: bytes) -> Iterator[Probe]:
        postroom = _postroom(bob)
        yield tried(
            "readdressed", "client", "an envelope for bob, given to carol",
            lambda: _postroom(carol).unseal(message_id, payload),
        )  # fmt: skip
        yield tried(
            "readdressed", "client", "an envelope under another id", lambda: postroom.unseal(bytes(16), payload)
        )
        yield tried(
            "downgrade",
            "client",
            "an envelope of version 0",
            lambda: postroom.unseal(message_id, _older(bob, message_id)),
        )
        with contextlib.suppress(BlindrelayError):
            postroom.receive(postroom.unseal(message_id, payload))
        yield tried(
            "replay", "client", "the same envelope again",
            lambda: postroom.receive(postroom.unseal(message_id, payload)),
        )  # fmt: skip

    def _keys(self, bob: Device) -> Iterator[Probe]:
        acme = self._cast.enterprises["acme.example"]
        eve = DeviceAddress("acme.example", "eve", "phone")
        yield tried(
            "small-order", "client", "a device whose identity key is the point of order one",
            lambda: bob._running.contacts.accept(self._entry(acme.authority, acme.authority, eve, bob, bytes(32))),
        )  # fmt: skip
        rogue = Authority.create("acme.example", self._clock)
        ghost = DeviceAddress("acme.example", "alice", "ghost")
        key = bob._running.identity.ratchet.identity_key
        yield tried(
            "ghost-accepted", "client", "one more device of alice's, with a certificate of somebody else's making",
            lambda: bob._running.contacts.accept(self._entry(acme.authority, rogue, ghost, bob, key)),
        )  # fmt: skip

    def _entry(
        self, root: Authority, issuer: Authority, address: DeviceAddress, like: Device, identity_key: bytes
    ) -> UserEntry:
        """A directory entry with one device, made as a relay could make it that has the issuer's help."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = issuer.issue_device(address, key.public_key())
        mine = like._running.identity
        statement = DeviceStatement(
            device=address,
            sequence=1,
            issued_at=int(self._clock.now()),
            identity_key=identity_key,
            signing_key=mine.ratchet.signing_key,
            sealing_key=mine.sealing_keys[0].public,
            token_verifier=mine.token.verifier,
        )
        entry = DeviceEntry.model_construct(
            device=address,
            certificate=certificate.public_bytes(Encoding.DER),
            statement=Signed.create(Purpose.STATEMENT, statement, key),
        )
        return UserEntry.model_construct(user=address.owner, root=root.root.public_bytes(Encoding.DER), devices=[entry])

    def _late(self, alice: Device, bob: Device) -> Probe:
        past = int(self._clock.now()) - 60
        letter = Letter(Chat(id=new_id(), sent_at=0, text=self._workload.words("a letter that is late")))
        (late,) = _postroom(alice).seal(letter, [bob.address], expires_at=past)
        alice._store.dequeue(late.sequence)
        return tried(
            "expired", "client", "a letter whose time is over",
            lambda: _postroom(bob).receive(_postroom(bob).unseal(late.message_id, late.envelope)),
        )  # fmt: skip

    async def _stranger(self) -> Probe:
        """Somebody whom mia has never written to takes back a letter that never was."""
        stranger, mia = self._cast.device("dave"), self._cast.device("ayesha")
        async with stranger, mia:
            retraction = Retract(id=new_id(), sent_at=0, letter=new_id())
            receipt = await stranger._send(
                Letter(retraction), [mia.user], sealed=False, expires_in=None, timeout=_PATIENCE
            )
            await receipt.accepted(_PATIENCE)
            await asyncio.sleep(_MOMENT)
            stage = receipt.stage.name
        return Probe(
            name="probed", about="client", tried="a stranger takes back a letter that never was",
            refused=stage == "ACCEPTED", answer=f"the stranger learns: {stage.lower()}",
        )  # fmt: skip


def _postroom(device: Device) -> Postroom:
    return device._running._postroom


def _older(device: Device, message_id: bytes) -> bytes:
    """An envelope to a device that says that it is of version 0, and is right in everything else."""
    identity = device._running.identity
    address = str(identity.address).encode()
    frame = bytes([0, 1, len(address)]) + address + (4).to_bytes(4) + b"body"
    padded = frame.ljust(envelope.MIN_BUCKET - envelope.OVERHEAD, b"\0")
    info = envelope._info(identity.address, message_id)
    return envelope._SUITE.encrypt(padded, envelope._public(identity.sealing_keys[0].public), info)


class DeskProbes:
    """What somebody could try on the desk who is nobody, or who has one signed call of somebody else's."""

    def __init__(self, bench: Bench, folder: Path, clock: Clock) -> None:
        self._bench = bench
        self._folder = folder
        self._clock = clock

    async def carry_out(self, use: Use) -> list[Probe]:
        """All of them, in the name of the authority that `use` is of."""
        return [await self._forged(use), await self._again(use), await self._other(use)]

    async def _forged(self, use: Use) -> Probe:
        """An emergency in an authority's name, signed with keys that are not in the register."""
        name = OfficerName(use.authority, OFFICER)
        forger = AuthorityIdentity.create(
            self._folder / "forger", name, "The police", use.jurisdiction, AuthorityKind(use.issuer), self._clock
        )
        async with DeskClient(forger, self._bench.address, self._clock) as client:
            situation = self._bench.situation(use, client.relay.id)
            return await _refused(
                "forged-emergency", "an emergency in an authority's name, signed with other keys",
                client.request(emergency(use.instrument, use.issuer, situation)),
            )  # fmt: skip

    async def _again(self, use: Use) -> Probe:
        """A signed call that has been made is made once more."""
        case = next(case for case in self._bench.cases if case.case_id and case.authority == use.authority)
        identity = self._bench.identity(use)
        async with DeskClient(identity, self._bench.address, self._clock) as client:
            call = StatusCall(
                aud=client.relay.id, iat=int(self._clock.now()), jti=uuid4(),
                document=CaseReference.model_validate({"case_id": case.case_id}),
            )  # fmt: skip
        signed = identity.sign(call.model_dump_json().encode())
        async with http_client(self._bench.address) as http:
            answers = [await http.post("/v1/status", content=signed, headers={"content-type": JOSE}) for _ in range(2)]
        return Probe(
            name="replayed-call", about="desk", tried="the same signed call twice",
            refused=answers[1].status_code != httpx.codes.OK, answer=f"{answers[1].status_code}",
        )  # fmt: skip

    async def _other(self, use: Use) -> Probe:
        """Another authority asks about the case."""
        case = next(case for case in self._bench.cases if case.case_id and case.authority != use.authority)
        async with DeskClient(self._bench.identity(use), self._bench.address, self._clock) as client:
            reference = CaseReference.model_validate({"case_id": case.case_id})
            return await _refused(
                "anothers-case", "an authority asks about another's case", client.status(reference.case_id)
            )


async def _refused(name: str, what: str, attempt: Any) -> Probe:
    try:
        answer = await attempt
    except (DeskRefused, ClientError) as error:
        return Probe(name=name, about="desk", tried=what, refused=True, answer=str(error))
    return Probe(name=name, about="desk", tried=what, refused=False, answer=json.dumps(str(answer))[:200])
