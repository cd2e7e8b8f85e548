"""The file in which a relay says where it is."""

from pathlib import Path

import pytest

from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.errors import Malformed


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """The file survives the way there and back, and no half-written one is left."""
    endpoint = Endpoint(host="::1", port=8883, ca_certificate="relay.crt")
    endpoint.write(tmp_path / "endpoint.json")
    assert Endpoint.read(tmp_path / "endpoint.json") == endpoint
    assert [path.name for path in tmp_path.iterdir()] == ["endpoint.json"]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"host": "a", "port": 0, "ca_certificate": "b"}', "\udcff", '{"secret": 1}']
)
def test_anything_else_is_malformed(text: str, tmp_path: Path) -> None:
    """The error names the file."""
    path = tmp_path / "endpoint.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Malformed, match="endpoint file"):
        Endpoint.read(path)
