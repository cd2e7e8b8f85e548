"""`blindrelay sabotage`: deliberate leaks, by their names or their files, and what became of them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.proofs.saboteurs.catalogue import names
from support.commands import Ran

Run = Callable[..., Ran]
#: Its check needs no run, and tries one attack: it takes a second or two.
CHEAP = "old-statement-accepted"
HARMLESS = """
from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur

SABOTEUR = Saboteur(
    name="harmless", title="does no harm", lock=Lock.KEYS, modelled_on="nobody",
    caught_by=frozenset({("attacks", "statement-replayed")}),
)
"""


def test_they_are_listed(blindrelay: Run) -> None:
    """For people with what each does, for programs one a line."""
    shown, told = blindrelay("sabotage", "list"), blindrelay("sabotage", "list", "--json")

    assert (shown.code, told.code) == (ExitCode.OK, ExitCode.OK)
    assert [json.loads(line)["saboteur"] for line in told.out.splitlines()] == names()
    assert [name for name in names() if f" {name} " not in shown.out] == []


def test_one_is_caught(blindrelay: Run) -> None:
    """It is said by which check, for which reason, and in which words."""
    ran = blindrelay("sabotage", "run", CHEAP)

    assert ran.code == ExitCode.OK, ran.out + ran.err
    assert f"✓ {CHEAP}" in ran.out
    assert "attacks (statement-replayed)" in ran.out


def test_a_matrix_is_written_down_beside_the_honest_system(tmp_path: Path, blindrelay: Run) -> None:
    """What another run has found before stays in the file."""
    out = tmp_path / "matrix.json"
    first = blindrelay("sabotage", "matrix", CHEAP, "--out", out)
    written = json.loads(out.read_text())
    written["saboteurs"].append(written["saboteurs"][0] | {"saboteur": "key-escrow"})
    written["saboteurs"].append(written["saboteurs"][0] | {"saboteur": "not-one-of-ours"})
    out.write_text(json.dumps(written))

    again = blindrelay("sabotage", "matrix", CHEAP, "--no-honest", "--out", out, "--json")

    assert (first.code, again.code) == (ExitCode.OK, ExitCode.OK), first.out + first.err + again.err
    assert "✓ the honest system  no run: attacks" in first.out
    assert "1 of 1 saboteurs caught" in first.out
    assert json.loads(again.out)["caught"]
    found = json.loads(out.read_text())
    assert [each["saboteur"] for each in found["saboteurs"]] == ["key-escrow", CHEAP]
    assert [each["found"] for each in found["honest"]] == [[]]


def test_one_that_nobody_finds_fails(tmp_path: Path, blindrelay: Run) -> None:
    """A file of one's own: it is said by whom it should have been found."""
    (tmp_path / "harmless.py").write_text(HARMLESS)
    ran = blindrelay("sabotage", "run", tmp_path / "harmless.py")

    assert ran.code == ExitCode.FAILED
    assert "✗ harmless" in ran.out
    assert "not found by attacks (statement-replayed)" in ran.out


@pytest.mark.parametrize("command", ["run", "matrix"])
def test_one_that_there_is_not(command: str, blindrelay: Run) -> None:
    """Nothing is run."""
    ran = blindrelay("sabotage", command, "no-such-saboteur")

    assert ran.code == ExitCode.USAGE
    assert "there is no saboteur 'no-such-saboteur': `blindrelay sabotage list` shows them" in ran.err


def test_a_file_that_is_no_plug_in(tmp_path: Path, blindrelay: Run) -> None:
    """Saboteur or check: it is said what it lacks, before anything is run."""
    (tmp_path / "empty.py").write_text("")

    saboteur = blindrelay("sabotage", "run", tmp_path / "empty.py")
    check = blindrelay("sabotage", "run", CHEAP, "--check-file", tmp_path / "empty.py")
    proof = blindrelay("prove", "--check-file", tmp_path / "empty.py")

    assert {saboteur.code, check.code, proof.code} == {ExitCode.FAILED}
    assert "empty.py has no SABOTEUR: it has to be a Saboteur" in saboteur.err
    assert "empty.py has no CHECK: it has to be a Check" in check.err
    assert "empty.py has no CHECK: it has to be a Check" in proof.err


def test_a_saboteur_whose_check_is_not_there(tmp_path: Path, blindrelay: Run) -> None:
    """It is said how to name its file."""
    (tmp_path / "mine.py").write_text(HARMLESS.replace('"attacks"', '"my-check"').replace("harmless", "unchecked"))

    ran = blindrelay("sabotage", "run", tmp_path / "mine.py")

    assert ran.code == ExitCode.USAGE
    assert (
        "unchecked has to be found by my-check, and there is no such check: name its file with --check-file" in ran.err
    )


def test_names_and_quick_are_two_things(blindrelay: Run) -> None:
    """Either."""
    assert blindrelay("sabotage", "matrix", CHEAP, "--quick").code == ExitCode.USAGE


def test_no_other_file_is_written_over(tmp_path: Path, blindrelay: Run) -> None:
    """It is looked at before anything is run."""
    other = tmp_path / "notes.json"
    other.write_text("[]")

    ran = blindrelay("sabotage", "matrix", CHEAP, "--out", other)

    assert ran.code == ExitCode.USAGE
    assert "is there, and is not a file of this command's: name another" in ran.err
    assert other.read_text() == "[]"
