"""The entries of the log `directory`: which roots, device statements and revocations a relay has ever told anybody, and which
tenants have left it.

An entry is canonical JSON (sorted keys, no spaces, ASCII) without a person's name in it: `account` is a label that whoever has
the tenant's root can compute, and nobody else; what was signed is named by its digest. Whoever is shown a device computes its
entry anew and has its inclusion proved; an enterprise finds all entries about itself by its name, a user by the label.
"""

import hmac
from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.certificates import is_archive, load
from blindrelay.protocol.statements import DeviceStatement, Revocation, Signed
from blindrelay.protocol.transparency import leaf
from blindrelay.protocol.transparency.leaf import Leaf

#: What the log is called: the last part of its origin, and of its address.
NAME: Final = "directory"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256, hexadecimal")]


class _Entry(Leaf):
    #: What `address.check_tenant` lets pass has no other characters.
    tenant: Annotated[str, Field(pattern=r"^[a-z0-9.-]{1,253}$")]


class TenantEntered(_Entry):
    """From now on the root with this digest counts for the tenant."""

    kind: Literal["tenant"] = "tenant"
    root: Digest


class DeviceStated(_Entry):
    """A device of the account has published a statement, signed with the key of the certificate.

    `archive`: the enterprise has marked it as a compliance archive, for everybody to see.
    """

    kind: Literal["device"] = "device"
    account: Digest
    archive: bool
    certificate: Digest
    sequence: Annotated[int, Field(ge=1, lt=2**53)]
    statement: Digest


class DeviceRevoked(_Entry):
    """The tenant has withdrawn the certificate."""

    kind: Literal["revocation"] = "revocation"
    account: Digest
    certificate: Digest
    revocation: Digest


class TenantLeft(_Entry):
    """The tenant has left for good: nothing of it is taken or handed out from now on, and its name is not given again.

    `leaving`: what it has signed; None where the relay's operator has put it out.
    """

    kind: Literal["left"] = "left"
    root: Digest
    leaving: Digest | None


Entry = TenantEntered | DeviceStated | DeviceRevoked | TenantLeft
_ENTRY: Final[TypeAdapter[Entry]] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def parse(data: bytes) -> Entry:
    """Raises `Malformed` for anything that is not an entry in its one form."""
    return leaf.parse(_ENTRY, data, NAME)


def account_label(user: UserAddress, root: bytes) -> str:
    """What an account is called in the log. `root` is the tenant's, as DER.

    The log has the root's digest alone: who is not admitted to the relay cannot try names out.
    """
    return hmac.digest(root, b"blindrelay/account/1\0" + str(user).encode(), "sha256").hex()


def signed_digest(signed: Signed) -> str:
    """The digest that names something signed: of its body and signature, each behind its length."""
    parts = (signed.body, signed.signature)
    return sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).hexdigest()


def tenant_entered(tenant: str, root: bytes) -> TenantEntered:
    """The entry of a tenant's root (DER)."""
    return TenantEntered(tenant=tenant, root=sha256(root).hexdigest())


def device_stated(root: bytes, certificate: bytes, statement: DeviceStatement, signed: Signed) -> DeviceStated:
    """The entry of a device: its tenant's root and its certificate (DER), what it says of itself, and that as it was signed.

    Raises:
        Malformed: the certificate is none.
    """
    owner = statement.device.owner
    return DeviceStated(
        tenant=owner.tenant,
        account=account_label(owner, root),
        archive=is_archive(load(certificate)),
        certificate=sha256(certificate).hexdigest(),
        sequence=statement.sequence,
        statement=signed_digest(signed),
    )


def device_revoked(root: bytes, revocation: Revocation, signed: Signed) -> DeviceRevoked:
    """The entry of a revocation."""
    owner = revocation.device.owner
    return DeviceRevoked(
        tenant=owner.tenant,
        account=account_label(owner, root),
        certificate=revocation.certificate.hex(),
        revocation=signed_digest(signed),
    )


def tenant_left(tenant: str, root: bytes, leaving: Signed | None) -> TenantLeft:
    """The entry of a tenant that has left; `root` is the SHA-256 of its root (DER)."""
    return TenantLeft(tenant=tenant, root=root.hex(), leaving=None if leaving is None else signed_digest(leaving))
