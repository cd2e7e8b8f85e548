"""A log that does not hold, and a relay that does other things than its log says, are found."""

import pytest

from support.somebody import Somebody, reasons

DAY = 86_400.0
LOGS = ("directory", "lawful-access")


@pytest.mark.parametrize("log", LOGS)
def test_an_entry_that_was_changed(log: str, delivered: Somebody) -> None:
    """The tree does not hold any more."""
    entries = [path for path in (delivered.data / "logs" / log / "tile" / "entries").rglob("*") if path.is_file()]
    entries.sort(key=lambda path: path.stat().st_size)
    altered = bytearray(entries[-1].read_bytes())
    altered[-2] ^= 1
    entries[-1].write_bytes(altered)

    assert reasons(delivered.examine("leaves")) == {"log"}


@pytest.mark.parametrize("log", LOGS)
def test_a_checkpoint_that_nobody_has_signed(log: str, delivered: Somebody) -> None:
    """Its root is another."""
    path = delivered.data / "logs" / log / "checkpoint"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], "7", *lines[2:]]) + "\n")

    assert reasons(delivered.examine("leaves")) == {"log"}


def test_a_log_that_was_not_published(waiting: Somebody) -> None:
    """It is said, and the other one is examined."""
    for path in sorted((waiting.data / "logs" / "lawful-access").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()

    verdict = waiting.examine("leaves")

    assert reasons(verdict) == set()
    assert "the log lawful-access: this relay has published none" in verdict.skipped


def test_a_device_that_is_in_no_entry(delivered: Somebody) -> None:
    """Clients are shown it."""
    delivered.sql("UPDATE device SET log_index = NULL WHERE account_id = (SELECT max(account_id) FROM device)")

    verdict = delivered.examine("leaves")

    assert reasons(verdict) == {"directory"}
    assert "is shown to clients, and is in no entry of the log" in verdict.findings[0].text


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE device SET certificate = (SELECT root FROM tenant LIMIT 1) WHERE user = 'alice'",
        "UPDATE tenant SET root = (SELECT max(root) FROM tenant)",
    ],
)
def test_a_key_that_is_not_the_one_in_the_log(change: str, delivered: Somebody) -> None:
    """It was put in its place for whoever asks today."""
    delivered.sql(change)

    verdict = delivered.examine("leaves")

    assert reasons(verdict) == {"directory"}
    assert "in the log, where something else is" in verdict.findings[0].text


def test_a_step_that_is_in_no_entry(delivered: Somebody) -> None:
    """A package, say."""
    delivered.desk(
        "DELETE FROM log_opening WHERE (case_id, sequence) IN "
        "(SELECT case_id, sequence FROM case_event WHERE step = 'packaged')"
    )

    verdict = delivered.examine("leaves")

    assert reasons(verdict) == {"no-leaf"}
    assert "packaged (stored) of the case" in verdict.findings[0].text


def test_a_step_that_was_edited_afterwards(delivered: Somebody) -> None:
    """The case file holds by itself, and the log has the row as it was."""
    delivered.edit("packaged", lambda body: body.update(digest="0" * 64))

    assert reasons(delivered.examine("leaves")) == {"other-leaf"}


def test_an_entry_of_a_step_that_there_is_not(delivered: Somebody) -> None:
    """It was taken out of the case file."""
    delivered.desk("DELETE FROM case_event WHERE id = (SELECT max(id) FROM case_event WHERE step = 'released')")
    delivered.seal()

    verdict = delivered.examine("leaves")

    assert "other-leaf" in reasons(verdict)
    assert any("that there is not" in finding.text for finding in verdict.findings)


def test_a_case_of_which_silence_is_ordered(aged: Somebody) -> None:
    """It was told of all the same."""
    aged.edit(
        "received",
        lambda body: body["request"]["authorisation"].update(
            non_disclosure={"legal_basis": "as ordered", "until": "2126-01-01T00:00:00Z"}
        ),
    )

    assert "told-early" in reasons(aged.examine("leaves"))


def test_a_case_of_which_nobody_was_told(delivered: Somebody) -> None:
    """Silence has ended, and the relay goes on being silent."""
    verdict = delivered.examine("leaves", later=60 * DAY)

    assert reasons(verdict) == {"untold"}
