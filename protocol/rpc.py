"""Requests to the relay and its answers, over MQTT 5 request/response.

A request is a QoS 1 PUBLISH to `v1/rpc/<method>` with a response topic (`v1/reply/<client id>`, the client's own) and
correlation data; its payload is the JSON of the method's request model. The answer is a QoS 0 PUBLISH to the response topic
with the same correlation data; its payload is the JSON of an `Answer`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Generic, TypeVar

from pydantic import Field, JsonValue

from blindrelay.protocol.address import DeviceField, UserField
from blindrelay.protocol.notices import AskNotices, NoticePage
from blindrelay.protocol.statements import Key32, Signed, Wire

# A directory entry is about 4 kB in base64; nobody's user has a hundred devices.
MAX_DEVICES_PER_USER = 16
# vodozemac keeps 50 one-time keys.
MAX_ONE_TIME_PREKEYS = 50
MAX_REQUEST = 65_536

#: ISO 3166-1 alpha-2 in lower case, or `eu`.
Country = Annotated[str, Field(pattern=r"^[a-z]{2}$")]
Der = Annotated[bytes, Field(max_length=4_096, description="DER certificate")]


#: Hashes of a Merkle proof: no tree is higher than 63.
Proof = Annotated[list[Key32], Field(max_length=63)]
MAX_CHECKPOINT = 16_384


class ErrorCode(StrEnum):
    """Why a request was refused."""

    MALFORMED = "malformed"
    UNKNOWN_METHOD = "unknown-method"
    NOT_AUTHORISED = "not-authorised"
    UNKNOWN_USER = "unknown-user"  # the same for "unknown" and "may not be written to": no oracle
    UNKNOWN_TENANT = "unknown-tenant"
    LEFT = "left"  # the tenant has left this relay for good; its name is not given again
    CONFLICT = "conflict"  # a lower sequence, a tenant that is already registered under another root
    VERIFICATION_FAILED = "verification-failed"
    RATE_LIMITED = "rate-limited"
    UNAVAILABLE = "unavailable"


class Refused(Wire):
    """The relay does not do what was asked; `message` is for people."""

    code: ErrorCode
    message: Annotated[str, Field(max_length=500)]


class Answer(Wire):
    """Exactly one of the two is there."""

    result: JsonValue = None
    error: Refused | None = None


class Included(Wire):
    """That something is in the log `directory`: where, and the siblings on the way up to the checkpoint's root (RFC 6962)."""

    index: Annotated[int, Field(ge=0, lt=2**53)]
    path: Proof


class Head(Wire):
    """The newest checkpoint of the log, signed and cosigned, and the proof that it continues the one that was `seen`."""

    checkpoint: Annotated[bytes, Field(max_length=MAX_CHECKPOINT)]
    consistency: Proof


#: How many entries the newest checkpoint had that the asking client knows; 0: it knows none.
Seen = Annotated[int, Field(ge=0, lt=2**53)]


class Empty(Wire):
    """Nothing to say."""


class RegisterTenant(Wire):
    """A registrar (holder of the relay's registration code) introduces a tenant, its root, and where it is at home.

    The jurisdiction says whose authorities may ask about the tenant's people, and whether a suspension of the service there
    concerns it. Registering again may add one that was left out; changing it is for the relay's operator.
    """

    tenant: str
    root: Der
    jurisdiction: Country | None = None


class LeaveRelay(Wire):
    """The tenant's administrator says that the tenant leaves for good: a signed `Leaving`."""

    leaving: Signed


class RevokeDevice(Wire):
    """The tenant's administrator withdraws a certificate: a signed `Revocation`."""

    revocation: Signed


class PublishStatement(Wire):
    """A device publishes its own `DeviceStatement`."""

    statement: Signed


class PublishPrekeys(Wire):
    """A device adds one-time `Prekey`s and may replace its fallback key."""

    one_time: Annotated[list[Signed], Field(max_length=MAX_ONE_TIME_PREKEYS)] = Field(default=[])
    fallback: Signed | None = None


class PrekeyCount(Wire):
    """How many one-time prekeys of the asking device the relay still has."""

    one_time: int


class LookUpUser(Wire):
    """Who are this user's devices?"""

    user: UserField
    seen: Seen = 0


class LookUpTenant(Wire):
    """What is this tenant's root?"""

    tenant: str
    seen: Seen = 0


class TenantEntry(Wire):
    """A tenant's root certificate, as registered."""

    tenant: str
    root: Der
    included: Included
    head: Head


class DeviceEntry(Wire):
    """A device that may be written to. Revoked devices and devices without statement are not listed."""

    device: DeviceField
    certificate: Der
    statement: Signed
    included: Included


class UserEntry(Wire):
    """A user's tenant and devices. Everything in it is to be verified by who receives it."""

    user: UserField
    root: Der
    root_included: Included
    devices: Annotated[list[DeviceEntry], Field(max_length=MAX_DEVICES_PER_USER)]
    head: Head


class ProveHead(Wire):
    """Does the log's newest checkpoint continue those of these sizes, of which the client has heard?"""

    seen: Annotated[list[Seen], Field(max_length=16)]


class ProvenHead(Wire):
    """The newest checkpoint, and for each size that was asked about the proof; an empty one where that is larger."""

    checkpoint: Annotated[bytes, Field(max_length=MAX_CHECKPOINT)]
    consistency: list[Proof]


class LogPolicies(Wire):
    """By what the relay says that its logs are to be verified (https://c2sp.org/tlog-policy).

    A client that has it from nowhere else keeps the first one that it is given.
    """

    directory: Annotated[str, Field(max_length=MAX_CHECKPOINT)]
    lawful_access: Annotated[str | None, Field(max_length=MAX_CHECKPOINT)] = None


class ClaimPrekeys(Wire):
    """One prekey of each of these devices, please: a one-time key where there is one, else the fallback key."""

    devices: Annotated[list[DeviceField], Field(min_length=1, max_length=MAX_DEVICES_PER_USER)]


class ClaimedPrekeys(Wire):
    """Signed `Prekey`s; a device without any is left out."""

    prekeys: dict[str, Signed]


class MyData(Wire):
    """Everything that the relay's metadata inventory holds about the asking device's user: record kind -> rows."""

    records: dict[str, list[dict[str, JsonValue]]]


Request = TypeVar("Request", bound=Wire)
Response = TypeVar("Response", bound=Wire)


@dataclass(frozen=True, slots=True)
class Method(Generic[Request, Response]):
    """A method's name and its two models."""

    name: str
    request: type[Request]
    response: type[Response]


REGISTER_TENANT = Method("tenant.register", RegisterTenant, Empty)
LOOK_UP_TENANT = Method("tenant.lookup", LookUpTenant, TenantEntry)
LEAVE_RELAY = Method("tenant.leave", LeaveRelay, Empty)
REVOKE_DEVICE = Method("device.revoke", RevokeDevice, Empty)
PUBLISH_STATEMENT = Method("statement.publish", PublishStatement, Empty)
PUBLISH_PREKEYS = Method("prekeys.publish", PublishPrekeys, PrekeyCount)
COUNT_PREKEYS = Method("prekeys.count", Empty, PrekeyCount)
CLAIM_PREKEYS = Method("prekeys.claim", ClaimPrekeys, ClaimedPrekeys)
LOOK_UP_USER = Method("directory.lookup", LookUpUser, UserEntry)
PROVE_HEAD = Method("log.head", ProveHead, ProvenHead)
LOG_POLICIES = Method("log.policies", Empty, LogPolicies)
MY_DATA = Method("account.my_data", Empty, MyData)
NOTICES = Method("notices", AskNotices, NoticePage)

METHODS: dict[str, Method[Any, Any]] = {
    method.name: method
    for method in (
        REGISTER_TENANT,
        LOOK_UP_TENANT,
        LEAVE_RELAY,
        REVOKE_DEVICE,
        PUBLISH_STATEMENT,
        PUBLISH_PREKEYS,
        COUNT_PREKEYS,
        CLAIM_PREKEYS,
        LOOK_UP_USER,
        PROVE_HEAD,
        LOG_POLICIES,
        MY_DATA,
        NOTICES,
    )
}
