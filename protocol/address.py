"""Who there is: tenants, their users, the users' devices.

An address part becomes part of an MQTT topic, a certificate's SAN and a file name, so its alphabet holds none of the
characters that mean something there (`/ + # $ * > .. @ ~`, control characters, anything outside ASCII). A tenant is
named like a DNS domain (RFC 1035, lower case) so that it can be proved and bought; users and devices are names within it.
"""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from blindrelay.protocol.errors import Malformed

# RFC 1035 section 2.3.4 bounds a label at 63 and a name at 255; 128 keeps a topic with three parts below 256 bytes.
MAX_TENANT_LENGTH = 128
MAX_NAME_LENGTH = 48

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_TENANT = re.compile(rf"{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]|\.(?!\.))*", re.ASCII)


def check_tenant(name: str) -> str:
    """Return `name` if it is a tenant's name (`acme.example`); raise `Malformed` otherwise."""
    if len(name) > MAX_TENANT_LENGTH or not _TENANT.fullmatch(name):
        raise Malformed(
            f"{name[:80]!r} is not a tenant name: expected a lower-case domain such as acme.example, "
            f"{MAX_TENANT_LENGTH} characters at most"
        )
    return name


def _check_name(kind: str, name: str) -> str:
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name) or name.endswith("."):
        raise Malformed(
            f"{name[:80]!r} is not a {kind} name: expected 1 to {MAX_NAME_LENGTH} of a-z, 0-9, '-', '_' and single dots, "
            "beginning with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True, order=True)
class UserAddress:
    """A person (or function) within a tenant, written `bob@globex.example`."""

    tenant: str
    user: str

    def __post_init__(self) -> None:
        check_tenant(self.tenant)
        _check_name("user", self.user)

    @classmethod
    def parse(cls, text: str) -> "UserAddress":
        """Parse `user@tenant`; raise `Malformed`."""
        user, at, tenant = text.partition("@")
        if not at:
            raise Malformed(f"{text[:80]!r} is not an address: expected user@tenant, such as bob@globex.example")
        return cls(tenant, user)

    def __str__(self) -> str:
        return f"{self.user}@{self.tenant}"


@dataclass(frozen=True, slots=True, order=True)
class DeviceAddress:
    """One device of one user, written `globex.example/bob/phone`; it is the MQTT client id, too."""

    tenant: str
    user: str
    device: str

    def __post_init__(self) -> None:
        check_tenant(self.tenant)
        _check_name("user", self.user)
        _check_name("device", self.device)

    @classmethod
    def parse(cls, text: str) -> "DeviceAddress":
        """Parse `tenant/user/device`; raise `Malformed`."""
        parts = text.split("/")
        if len(parts) != 3:
            raise Malformed(
                f"{text[:80]!r} is not a device address: expected tenant/user/device, such as globex.example/bob/phone"
            )
        return cls(*parts)

    @property
    def owner(self) -> UserAddress:
        """The user whose device this is."""
        return UserAddress(self.tenant, self.user)

    def __str__(self) -> str:
        return f"{self.tenant}/{self.user}/{self.device}"


def check_jurisdiction(text: str) -> str:
    """Return `text` if it has the form of a jurisdiction, else raise `Malformed`."""
    if not re.fullmatch("[a-z]{2}", text, re.ASCII):
        raise Malformed(
            f"{text[:80]!r} is not a jurisdiction: expected two lower-case letters (ISO 3166-1), such as us"
        )
    return text


def _parsed(kind: type) -> BeforeValidator:
    return BeforeValidator(lambda value: kind.parse(value) if isinstance(value, str) else value)  # type: ignore[attr-defined]


_AS_TEXT = PlainSerializer(str, return_type=str)

#: The two addresses as fields of pydantic models: text on the wire, parsed once, here.
UserField = Annotated[UserAddress, _parsed(UserAddress), _AS_TEXT, WithJsonSchema({"type": "string"})]
DeviceField = Annotated[DeviceAddress, _parsed(DeviceAddress), _AS_TEXT, WithJsonSchema({"type": "string"})]
