"""The reference pages say what the code says."""

import re
from pathlib import Path

import pytest

from blindrelay.protocol import certificates, rpc, sizes, topics
from blindrelay.protocol.statements import DeviceStatement, Prekey, Purpose, Revocation

WIRE = (Path(__file__).parents[2] / "docs" / "reference" / "wire.md").read_text()


def first_cells(heading: str) -> list[str]:
    """The first column of the tables below a heading, without backticks."""
    section = WIRE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)
    return [cell.strip().strip("`") for cell in rows if not cell.startswith(("-", "method", "topic", "body"))]


def test_every_method_is_documented() -> None:
    """The table of requests names the methods of the protocol, in its order."""
    assert first_cells("Requests") == list(rpc.METHODS)


def test_every_error_code_is_documented() -> None:
    """The list of error codes is complete."""
    documented = set(re.findall(r"`([a-z-]+)`", WIRE.split("Error codes:", 1)[1].split("\n\n", 1)[0]))

    assert documented == {code.value for code in rpc.ErrorCode}


def test_the_topics_are_documented() -> None:
    """The table of topics names the four prefixes."""
    documented = [cell.split("<")[0] for cell in first_cells("Topics")]

    assert documented == [topics.TO, topics.INBOX, topics.RPC, topics.REPLY]


@pytest.mark.parametrize("number", [sizes.MIN_ENVELOPE, sizes.MAX_ENVELOPE, sizes.MAX_TTL], ids=str)
def test_the_limits_are_documented(number: int) -> None:
    """A limit that changes in the code changes on the page."""
    assert f"{number:,}" in WIRE


@pytest.mark.parametrize("model", [DeviceStatement, Prekey, Revocation])
def test_the_signed_bodies_are_documented(model: type[DeviceStatement | Prekey | Revocation]) -> None:
    """Each field of a signed body is on the page."""
    assert [name for name in model.model_fields if f"`{name}`" not in WIRE] == []


def test_the_purposes_and_the_archive_mark_are_documented() -> None:
    """What signatures are for, and the extension that marks an archive."""
    assert all(f"`{purpose.value}`" in WIRE for purpose in Purpose)
    assert certificates.ARCHIVE_OID.dotted_string in WIRE
