"""A text that is known to have gone through a relay is found wherever it is; and it is not repeated in what is said of it."""

import base64
import gzip
import shutil
import zlib
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from blindrelay.proofs.checks.model import Verdict
from support.somebody import Somebody, reasons

SECRET = "Shall we meet at the old harbour on Tuesday evening, with both of the accountants?"
OTHER = "quite another text that is nowhere in it"


def examine(relay: Somebody, **subject: object) -> Verdict:
    """What is found, without the text itself in any of it."""
    verdict = relay.examine("canary", known=("", OTHER, SECRET), **subject)
    assert not [finding for finding in verdict.findings if SECRET[:8] in finding.text or OTHER[:8] in finding.text]
    assert all("the text of line 3" in finding.text for finding in verdict.findings)
    return verdict


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: base64.b64encode(text.encode()),
        lambda text: zlib.compress(text.encode()),
        lambda text: bytes(byte ^ 0x5A for byte in text.encode()),
    ],
    ids=["plain", "UTF-16", "base64", "zlib", "XOR"],
)
def test_in_a_row(written: Callable[[str], bytes], waiting: Somebody) -> None:
    """In every form, and cut by pages."""
    waiting.sql("UPDATE notice SET body = 'x' WHERE 0")
    waiting.sql(
        "INSERT INTO notice (key, issued_at, body, signature) VALUES ('1', 1, ?, X'00')", b"\0" * 700 + written(SECRET)
    )

    assert reasons(examine(waiting)) == {"disk"}


def test_a_part_of_it(waiting: Somebody) -> None:
    """Whoever has cut it off has leaked it all the same."""
    (waiting.data / "registration-code").write_text(SECRET[24:60])

    verdict = examine(waiting)

    assert reasons(verdict) == {"disk"}
    assert "from character 25" in verdict.findings[0].text


def test_in_the_log(waiting: Somebody, tmp_path: Path) -> None:
    """And in one that was put away."""
    (tmp_path / "relay.log.gz").write_bytes(gzip.compress(SECRET.encode()))

    assert reasons(examine(waiting, logs=(tmp_path / "relay.log.gz",))) == {"log"}


def test_in_a_backup(waiting: Somebody, tmp_path: Path) -> None:
    """One that is a database, and one that is not."""
    shutil.copytree(waiting.data, tmp_path / "backups")
    Somebody(tmp_path / "backups", 0).sql("UPDATE tenant SET jurisdiction = ?", SECRET)
    (tmp_path / "backups" / "notes").write_text(SECRET)

    verdict = examine(waiting, backups=(tmp_path / "backups",))

    assert reasons(verdict) == {"backup"}
    assert len(verdict.findings) > 2


@pytest.mark.parametrize("derive", [bytes, lambda key: sha256(key).digest()], ids=["the key", "made of the key"])
def test_under_a_key_of_the_relays_own(derive: Callable[[bytes], bytes], waiting: Somebody) -> None:
    """Encryption at rest hides nothing from whoever has the disk."""
    key = b"\7" * 32
    (waiting.data / "relay.crt").write_bytes(key)
    sealed = b"\1" * 12 + ChaCha20Poly1305(derive(key)).encrypt(b"\1" * 12, SECRET.encode(), None)
    waiting.sql("INSERT INTO notice (key, issued_at, body, signature) VALUES ('1', 1, ?, X'00')", sealed)

    assert reasons(examine(waiting)) == {"decrypted"}


def test_a_text_does_not_show_itself(waiting: Somebody) -> None:
    """Not in what is handed from one part of the program to the other, either."""
    from blindrelay.proofs.against import Subject, copied
    from blindrelay.protocol.clock import SystemClock

    subject = Subject(waiting.data, known=(SECRET,))
    with copied(subject, SystemClock(), lambda _: None) as (deployment, folder):
        assert SECRET not in repr(subject) + repr(deployment)
        assert folder.stat().st_mode & 0o777 == 0o700
