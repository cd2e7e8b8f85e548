"""Addresses: what is one, and what can never become part of a topic, a certificate or a file name."""

import contextlib
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from blindrelay.protocol.address import MAX_NAME_LENGTH, DeviceAddress, DeviceField, UserAddress, check_tenant
from blindrelay.protocol.errors import Malformed

# Each of these means something to a topic filter, a NATS subject, a path, a regular expression or a terminal (class S3).
HOSTILE = [
    "+",
    "#",
    "/",
    "..",
    ".*",
    "$",
    ">",
    "*",
    "a/b",
    "a b",
    "",
    " ",
    "a\0",
    "ä",
    "A",
    "-a",
    "a..b",
    "a.",
    "~",
    "@",
    "a\n",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_no_address_part(name: str) -> None:
    """A name with a character that means something elsewhere is refused in every position (S3)."""
    for make in (
        lambda: DeviceAddress("acme.example", name, "laptop"),
        lambda: DeviceAddress("acme.example", "alice", name),
        lambda: UserAddress("acme.example", name),
        lambda: check_tenant(name),
    ):
        with pytest.raises(Malformed):
            make()


@pytest.mark.parametrize(
    "tenant",
    [
        "acme",
        "acme.",
        ".example",
        "acme..example",
        "-acme.example",
        "acme-.example",
        "acme.EXAMPLE",
        "a" * 64 + ".example",
        "a.b" * 60,
    ],
)
def test_a_tenant_is_a_lower_case_domain(tenant: str) -> None:
    """A tenant's name has at least two DNS labels of at most 63 characters (RFC 1035, 2.3.4)."""
    with pytest.raises(Malformed, match="tenant"):
        check_tenant(tenant)


def test_a_name_has_a_greatest_length() -> None:
    """48 characters are a name, 49 are none."""
    DeviceAddress("acme.example", "a" * MAX_NAME_LENGTH, "laptop")
    with pytest.raises(Malformed):
        DeviceAddress("acme.example", "a" * (MAX_NAME_LENGTH + 1), "laptop")


def test_an_address_reads_as_it_is_written() -> None:
    """Parsing and printing are inverse, and a device knows its owner."""
    device = DeviceAddress.parse("globex.example/bob/phone")

    assert str(device) == "globex.example/bob/phone"
    assert device.owner == UserAddress.parse("bob@globex.example")
    assert str(device.owner) == "bob@globex.example"


@pytest.mark.parametrize("text", ["globex.example/bob", "globex.example/bob/phone/x", "bob@globex.example", ""])
def test_a_device_address_has_three_parts(text: str) -> None:
    """Anything but tenant/user/device is refused, and the error shows the form that was expected."""
    with pytest.raises(Malformed):
        DeviceAddress.parse(text)


_name = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=10)


@given(st.builds(DeviceAddress, _name.map(lambda name: f"{name}.example"), _name, _name))
def test_an_address_survives_json(address: DeviceAddress) -> None:
    """In pydantic models an address is text, parsed once at the door."""
    adapter: TypeAdapter[DeviceAddress] = TypeAdapter(DeviceField)

    assert adapter.validate_json(adapter.dump_json(address)) == address


def test_a_bad_address_in_json_is_a_validation_error() -> None:
    """A model refuses a malformed address as it refuses any other wrong value."""
    with pytest.raises(ValidationError, match="expected tenant/user/device"):
        TypeAdapter(DeviceField).validate_json('"../../etc/passwd"')


@given(st.text())
def test_no_text_makes_parsing_fail_otherwise(text: str) -> None:
    """Whatever the text, the outcome is an address that prints as that text, or `Malformed`."""
    with contextlib.suppress(Malformed):
        assert str(DeviceAddress.parse(text)) == text
