"""Who a connection is, once admission has decided it. Everything behind admission asks these values and nothing else."""

from dataclasses import dataclass, field

from blindrelay.protocol.address import DeviceAddress, UserAddress


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """An enrolled device. Two connections are the same identity when they are the same account, renewed certificate or not."""

    address: DeviceAddress = field(compare=False)
    account_id: int
    #: DER, for statements to be verified with; `fingerprint` is its SHA-256, for revocation.
    certificate: bytes = field(repr=False, compare=False)
    fingerprint: bytes = field(repr=False, compare=False)
    #: When the certificate expires, seconds since the epoch: the session may not live longer.
    expires_at: float = field(compare=False)

    @property
    def tenant(self) -> str:
        """The tenant whose limits and standing count."""
        return self.address.tenant

    def __hash__(self) -> int:
        # Asked for on the message path; the generated one builds a tuple first.
        return self.account_id


@dataclass(frozen=True, slots=True)
class AdministratorIdentity:
    """A tenant's administration, by certificate: it revokes and looks up, and has no mailbox."""

    tenant: str
    fingerprint: bytes = field(repr=False, compare=False)
    expires_at: float = field(compare=False)


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class SealedSender:
    """Somebody who holds the delivery token of `recipient`. The relay knows nothing more, and must not.

    Each connection is an identity of its own (no two are equal): nothing ties them together, and each has limits of its own.
    """

    recipient: UserAddress
    #: The verifier that the token matched: when the recipient replaces the token, this sender no longer stands.
    verifier: bytes = field(repr=False)

    @property
    def tenant(self) -> str:
        """The tenant that is written to: the sender's is unknown."""
        return self.recipient.tenant


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Registrar:
    """Somebody who holds the relay's registration code."""


Identity = DeviceIdentity | AdministratorIdentity | SealedSender | Registrar
