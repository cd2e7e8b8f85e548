"""By what a client verifies the directory's log, as the command line has it: `--log-policy`, `--witnesses`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust
from support.commands import Ran

Client = Callable[..., Ran]
TO = ("bob@acme.example", "hello")


def test_nobody_is_written_to_by_a_log_that_another_key_has_signed(client: Client, relay: Path, tmp_path: Path) -> None:
    """The policy that somebody else has given out counts, and not what the relay says; with the right one it goes through."""
    (stranger := tmp_path / "policy").write_text(str(Trust(SigningKey.generate("relay.example/directory").verifier)))
    ran = client("alice/laptop", "send", "--log-policy", stranger, *TO)
    assert ran.code == ExitCode.LOG_REJECTED
    assert "checkpoint" in ran.err
    ran = client("alice/laptop", "send", "--log-policy", relay / "logs" / "directory.policy", *TO)
    assert ran.code == ExitCode.OK, ran.err


@pytest.mark.parametrize(("witnesses", "code"), [(0, ExitCode.OK), (1, ExitCode.OK), (2, ExitCode.LOG_REJECTED)])
def test_as_many_witnesses_as_one_wants(
    client: Client, monkeypatch: pytest.MonkeyPatch, witnesses: int, code: ExitCode
) -> None:
    """Said on the command line or in the environment; the relay's policy has one."""
    assert client("alice/laptop", "send", "--witnesses", witnesses, *TO).code == code
    monkeypatch.setenv("BLINDRELAY_WITNESSES", str(witnesses))
    assert client("alice/laptop", "send", *TO).code == code
