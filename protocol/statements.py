"""What tenants and devices sign: device statements, prekeys, revocations, and that a tenant leaves.

Every signature is ECDSA P-256 with SHA-256 over `"blindrelay/<purpose>/1" || 0x00 || body`, so that bytes signed for one
purpose mean nothing for another. `body` is JSON; it is verified and kept as the bytes that were signed, never re-encoded.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from blindrelay.protocol.address import DeviceField
from blindrelay.protocol.errors import Malformed, VerificationFailed

Key32 = Annotated[bytes, Field(min_length=32, max_length=32)]
#: An X-Wing public key: ML-KEM-768 encapsulation key (1,184 bytes) and X25519 key (32), draft-connolly-cfrg-xwing-kem.
SealingKey = Annotated[bytes, Field(min_length=1_216, max_length=1_216)]


class Wire(BaseModel):
    """The base of everything that is sent as JSON: closed, immutable, bytes as URL-safe base64."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_bytes="base64", val_json_bytes="base64")


Content = TypeVar("Content", bound=Wire)


class Purpose(StrEnum):
    """What a signature is for."""

    STATEMENT = "device-statement"
    PREKEY = "prekey"
    REVOCATION = "revocation"
    LEAVING = "leaving"
    NOTICE = "notice"  #: by a relay's desk: see `blindrelay.protocol.notices`
    CANARY = "canary"  #: by a relay's desk: which requests it has not received


class Signed(Wire):
    """Bytes and a signature over them. Use `open_as` to get at what they say."""

    body: Annotated[bytes, Field(max_length=8_192)]
    signature: Annotated[bytes, Field(max_length=80)]

    @classmethod
    def create(cls, purpose: Purpose, content: Wire, key: ec.EllipticCurvePrivateKey) -> Self:
        """Sign `content` for `purpose`."""
        return cls.create_with(purpose, content, lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())))

    @classmethod
    def create_with(cls, purpose: Purpose, content: Wire, sign: Callable[[bytes], bytes]) -> Self:
        """As `create`, for whoever signs without showing the key: `sign` is ECDSA P-256 with SHA-256, DER."""
        body = content.model_dump_json().encode()
        return cls(body=body, signature=sign(_signed_bytes(purpose, body)))

    def open_as(self, purpose: Purpose, kind: type[Content], key: ec.EllipticCurvePublicKey) -> Content:
        """Verify and parse.

        Raises:
            VerificationFailed: the signature is not `key`'s over these bytes for `purpose`; `check` is the purpose.
            Malformed: it verifies, but does not hold a `kind`.
        """
        try:
            key.verify(self.signature, _signed_bytes(purpose, self.body), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise VerificationFailed(purpose.value, "the signature does not verify") from error
        try:
            return kind.model_validate_json(self.body)
        except ValidationError as error:
            raise Malformed(f"signed {purpose.value} is malformed: {error.error_count()} fields") from error


def _signed_bytes(purpose: Purpose, body: bytes) -> bytes:
    return f"blindrelay/{purpose.value}/1".encode() + b"\0" + body


class DeviceStatement(Wire):
    """A device's public keys, signed with the key of its certificate.

    `sequence` rises with every new statement of the device: a lower one is a replay.
    """

    device: DeviceField
    sequence: Annotated[int, Field(ge=1, lt=2**53)]
    issued_at: Annotated[int, Field(ge=0, lt=2**53, description="seconds since the epoch")]
    identity_key: Annotated[Key32, Field(description="Olm identity key, Curve25519")]
    signing_key: Annotated[Key32, Field(description="Olm fingerprint key, Ed25519")]
    sealing_key: SealingKey
    token_verifier: Annotated[Key32, Field(description="SHA-256 of the user's delivery token")]


class Prekey(Wire):
    """A Curve25519 key for the first message of a new Olm session, signed with the key of the device's certificate.

    A one-time key is handed out once; the fallback key when there is none left.
    """

    device: DeviceField
    kind: Literal["one-time", "fallback"]
    key: Key32


class RevocationReason(StrEnum):
    """Why a device is out. The first four words are those of RFC 5280, section 5.3.1."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    LOST = "lost"


class Revocation(Wire):
    """The tenant withdraws one certificate of a device. Signed with the tenant's root key."""

    device: DeviceField
    certificate: Annotated[Key32, Field(description="SHA-256 of the DER certificate")]
    revoked_at: Annotated[int, Field(ge=0, lt=2**53, description="seconds since the epoch")]
    reason: RevocationReason


class Leaving(Wire):
    """The tenant leaves a relay for good. Signed with the tenant's root key.

    `log` says which relay: the verifier key of its log `directory`. So a tenant that leaves one relay has not said anything to
    another one, whoever shows it there.
    """

    tenant: Annotated[str, Field(max_length=253)]
    root: Annotated[Key32, Field(description="SHA-256 of the root certificate (DER)")]
    log: Annotated[str, Field(max_length=512)]
    left_at: Annotated[int, Field(ge=0, lt=2**53, description="seconds since the epoch")]
