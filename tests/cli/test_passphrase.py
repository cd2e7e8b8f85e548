"""Where passphrases come from."""

import io
from pathlib import Path

import click
import pytest

from blindrelay.cli import passphrase


def test_file_comes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of the file is the passphrase, without its line end."""
    monkeypatch.setenv(passphrase.VARIABLE, "from outside")
    file = tmp_path / "pass"
    file.write_bytes("grün wie Gras\r\nsecond line\n".encode())

    assert passphrase.given(file) == "grün wie Gras"
    assert passphrase.given(None) == "from outside"


@pytest.mark.parametrize(
    ("content", "complaint"), [(b"", "empty line"), (b"\nsecret\n", "empty line"), (b"\xff\xfe", "not a text")]
)
def test_file_without_passphrase_is_a_usage_error(tmp_path: Path, content: bytes, complaint: str) -> None:
    """A file that holds no passphrase is named; an empty passphrase is never used."""
    file = tmp_path / "pass"
    file.write_bytes(content)
    with pytest.raises(click.UsageError, match=complaint):
        passphrase.given(file)


def test_new_key_has_a_passphrase_only_if_one_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without file, variable and question there is none."""
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    assert passphrase.new(None, ask=False) is None


def test_where_nobody_can_be_asked_the_ways_to_give_one_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script that meets an encrypted key does not hang at a prompt."""
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(click.UsageError, match="--passphrase-file"):
        passphrase.existing(None, "acme.example")
