"""The subject of a mail travels beside the envelope, "so that the phone can show it before it has fetched the rest".

Modelled on the e-mail systems that seal a body and leave the headers as they are: with S/MIME and OpenPGP the subject
is in the clear (RFC 8551, 3.1; that is what RFC 9788 was written for).
"""

import struct

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients import device, link
    from blindrelay.clients.link import PublishProperties

    subjects: list[str] = []
    send_mail, pack = device.Device.send_mail, PublishProperties.pack

    async def telling(self: device.Device, to: object, subject: str, *args: object, **kwargs: object) -> object:
        subjects.append(subject)
        return await send_mail(self, to, subject, *args, **kwargs)  # type: ignore[arg-type]

    def with_subject(self: PublishProperties) -> bytes:
        if subjects and self._expires_at is not None:
            value = subjects[-1].encode()[:200]
            self._rest += struct.pack("!BH", 0x26, 7) + b"subject" + struct.pack("!H", len(value)) + value
            subjects.clear()
        return pack(self)

    device.Device.send_mail = telling
    link.PublishProperties.pack = with_subject


SABOTEUR = Saboteur(
    name="subject-outside",
    title="clients send the subject of a mail beside the envelope, as a user property",
    lock=Lock.KEYS,
    modelled_on="S/MIME and OpenPGP mail, whose subjects are in the clear (RFC 8551; RFC 9788)",
    caught_by=frozenset({("canary", "wire")}),
    in_clients=_in_clients,
)
