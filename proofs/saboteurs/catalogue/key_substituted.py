"""The relay gives everybody another key of one person's, and clients do not look at the signature.

Modelled on the man in the middle that WhatsApp's and iMessage's key servers could have been (Green: Attack of the Week:
group messaging, 2018; the reason for CONIKS and key transparency).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    from blindrelay.protocol.statements import DeviceStatement, Signed
    from blindrelay.relay.directory import Directory

    look_up = Directory.look_up_user
    ours = (
        MLKEM768PrivateKey.generate().public_key().public_bytes_raw()
        + X25519PrivateKey.generate().public_key().public_bytes_raw()
    )

    async def substituting(self: Directory, identity: Any, request: Any) -> Any:
        entry = await look_up(self, identity, request)
        if request.user.user != "mia":
            return entry
        devices = []
        for item in entry.devices:
            statement = DeviceStatement.model_validate_json(item.statement.body)
            body = statement.model_copy(update={"sealing_key": ours}).model_dump_json().encode()
            signed = Signed(body=body, signature=item.statement.signature)
            devices.append(item.model_copy(update={"statement": signed}))
        return entry.model_copy(update={"devices": devices})

    Directory.look_up_user = substituting


def _in_clients() -> None:
    from pydantic import ValidationError

    from blindrelay.clients.directory import Directory
    from blindrelay.protocol.errors import Malformed
    from blindrelay.protocol.statements import Signed

    def unsigned(self: Signed, purpose: Any, kind: Any, key: Any) -> Any:
        try:
            return kind.model_validate_json(self.body)
        except ValidationError as error:
            raise Malformed("not what it says") from error

    Signed.open_as = unsigned
    if hasattr(Directory, "_check_logged"):
        Directory._check_logged = lambda *_: None


SABOTEUR = Saboteur(
    name="key-substituted",
    title="the relay names a key of its own for one person, and clients do not check the signature",
    lock=Lock.KEYS,
    modelled_on="key servers as men in the middle (CONIKS, 2015)",
    caught_by=frozenset({("wire", "substituted")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
