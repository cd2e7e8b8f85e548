"""The relay adds a device to a user's list, and clients keep quiet about it and write to it.

Modelled on GCHQ's proposal to add "a silent participant" (Levy and Robinson: Principles for a More Informed Exceptional
Access Debate, 2018).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _named(introduction: Any) -> str:
    from blindrelay.protocol import certificates

    return certificates.subject_of(certificates.load(introduction.certificate)).device  # type: ignore[union-attr]


def _any_prekey(self: Any, address: Any, prekey: Any) -> bytes:
    from blindrelay.protocol.statements import Prekey

    return Prekey.model_validate_json(prekey.body).key


def _in_relay() -> None:
    from blindrelay.protocol import rpc
    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user

    async def with_ghost(self: Directory, identity: Any, request: Any) -> Any:
        entry = await look_up(self, identity, request)
        first = entry.devices[0]
        ghost = first.model_copy(update={"device": type(first.device)(first.device.tenant, first.device.user, "ghost")})
        return rpc.UserEntry.model_construct(**{**dict(entry), "devices": [*entry.devices, ghost]})

    Directory.look_up_user = with_ghost


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contacts
    from blindrelay.clients.directory import Directory

    check = Contacts._check_signatures

    def trusting(self: Contacts, address: Any, introduction: Any, root: Any) -> Any:
        real = (
            type(address)(address.tenant, address.user, _named(introduction)) if address.device == "ghost" else address
        )
        return check(self, real, introduction, root)

    Contacts._check_signatures = trusting
    Contacts.check_prekey = _any_prekey
    if hasattr(Directory, "_check_logged"):
        Directory._check_logged = lambda *_: None


SABOTEUR = Saboteur(
    name="ghost-device",
    title="the relay names one more device of a user's, and clients write to it without a check or a word",
    lock=Lock.KEYS,
    modelled_on="the ghost proposal (Levy and Robinson, 2018)",
    caught_by=frozenset({("wire", "ghost")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
