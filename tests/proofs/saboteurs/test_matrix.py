"""How saboteurs are run, and what counts as caught."""

import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.checks.model import Finding, Lock, Verdict
from blindrelay.proofs.evidence.scope import Scope, Stage
from blindrelay.proofs.prove import Proof
from blindrelay.proofs.saboteurs import placebo
from blindrelay.proofs.saboteurs.catalogue import find
from blindrelay.proofs.saboteurs.matrix import Matrix, Plan, Row
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.results import Killed, KillMatrix, control

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
SABOTEUR = Saboteur(
    name="leak", title="it leaks", lock=Lock.FORM, modelled_on="a sieve", caught_by=frozenset({("wire", "size")})
)


def row(*verdicts: Verdict, error: str | None = None) -> Row:
    """What became of the saboteur."""
    return Row(SABOTEUR, verdicts, 1.25, NOON, error)


def found(check: str, *reasons: str) -> Verdict:
    """A check that has found something."""
    return Verdict(check, tuple(Finding(reason, f"{reason}!") for reason in reasons))


# --- what counts


@pytest.mark.parametrize(
    "verdicts",
    [
        [],
        [found("wire")],
        [found("wire", "ghost")],
        [found("canary", "size")],
        [Verdict("wire", error="it broke off")],
    ],
    ids=["nobody looked", "nothing found", "another reason", "another check", "broken off"],
)
def test_caught_by_accident_is_not_caught(verdicts: Sequence[Verdict]) -> None:
    """The check has to be one of those that were named, and the reason, too."""
    assert not row(*verdicts).is_caught


def test_caught_is_what_was_found_by_a_named_check_for_a_named_reason() -> None:
    """Beside whatever else was found."""
    caught = row(found("canary", "disk"), found("wire", "ghost", "size"))

    assert caught.is_caught
    assert caught.killer == ("wire", Finding("size", "size!"))


# --- how much of a run


def test_no_more_is_run_than_the_saboteur_shows_in() -> None:
    """The parts that are enough for its checks, and none for checks that need no run; or those that it names."""
    assert Plan.least(find("subject-outside")) == Plan(
        Scope(quick=True, stages=(Stage.TALK,), reasons=("wire",)), ("canary",)
    )
    assert Plan.least(find("log-not-asked")).scope.stages == ()
    assert Plan.least(find("log-rewritten")).scope.stages == (Stage.WAIT, Stage.ASK, Stage.AGE, Stage.LEAVE)


def test_others_are_asked_that_as_much_of_a_run_is_enough_for() -> None:
    """They may find something as well; whoever needs more of a run, or none, would say nothing of it."""
    assert Plan.least(find("replay-accepted")).with_others().checks == ("wire", "canary")
    assert Plan.least(find("log-not-asked")).with_others().checks == ("attacks",)
    assert "reconciliation" in Plan.least(find("released-without-leaf")).with_others().checks


def test_a_whole_run_is_before_every_check() -> None:
    """Whatever the saboteur is."""
    plan = Plan.whole(find("subject-outside"))

    assert plan.scope == Scope(quick=True)
    assert plan.checks == checks.NAMES


def test_the_honest_system_is_run_in_each_way_in_which_a_saboteur_is() -> None:
    """Once for all that are of the same parts of a run, with everything that any of them is looked at for."""
    chosen = [find(name) for name in ("subject-outside", "token-in-log", "package-with-a-remark", "log-not-asked")]
    controls = Matrix([(saboteur, Plan.least(saboteur)) for saboteur in chosen]).controls

    assert {plan.scope.stages: (plan.checks, plan.scope.reasons) for plan in controls} == {
        (Stage.TALK,): (("canary",), ("log", "wire")),
        (Stage.WAIT, Stage.ASK): (("forms",), ("not-canonical",)),
        (): (("attacks",), ("ghost-device",)),
    }


def test_a_placebo_has_nobody_to_be_found_by() -> None:
    """It is a saboteur in everything else."""
    assert find(placebo.FILE).caught_by == frozenset()
    assert not Row(find(placebo.FILE), (found("wire", "size"),), 1.0, NOON).is_caught


def test_a_scope_reaches_other_processes_by_their_command_lines() -> None:
    """Whole or in part."""
    from argparse import ArgumentParser

    parser = ArgumentParser()
    Scope.add_options(parser)
    for scope in (
        Scope(),
        Scope(quick=True, saboteur="./mine.py"),
        Scope(stages=(), reasons=("size",)),
        Scope(stages=(Stage.TALK, Stage.LEAVE)),
    ):
        assert Scope.of(parser.parse_args(scope.options)) == scope


def test_without_reasons_everything_is_looked_for() -> None:
    """With some, those alone."""
    assert Scope().wants("memory")
    assert Scope(reasons=("memory",)).wants("memory")
    assert not Scope(reasons=("disk",)).wants("memory")


# --- the file


def test_each_check_says_one_thing_of_a_saboteur() -> None:
    """Caught, noticed, nothing, failed."""
    killed = Killed.of(
        row(
            found("wire", "size", "ghost"),
            found("canary", "disk"),
            found("forms"),
            Verdict("leaves", error="it broke off"),
        )
    )

    assert killed.cells == {"wire": "caught", "canary": "noticed", "forms": "nothing", "leaves": "failed"}
    assert (killed.by, killed.reason, killed.said, killed.must) == ("wire", "size", "size!", [("wire", "size")])


def test_what_a_check_said_is_written_down_without_the_places_of_this_machine() -> None:
    """Temporary folders and installations have names of their own everywhere."""
    text = f"{tempfile.gettempdir()}/proof/log was rewritten; {sys.prefix}/lib/threading.py, GET /v1/relay"
    killed = Killed.of(row(Verdict("wire", (Finding("size", text),))))

    assert killed.said == ".../proof/log was rewritten; .../lib/threading.py, GET /v1/relay"


def test_a_saboteur_that_could_not_be_run_was_not_caught() -> None:
    """And why is in the file."""
    killed = Killed.of(row(error="no relay"))

    assert not killed.caught
    assert (killed.by, killed.said, killed.error) == (None, None, "no relay")


def test_whatever_is_found_in_the_honest_system_is_written_down() -> None:
    """Checks that could not be carried out among it: they would have found nobody either."""
    proof = Proof(
        quick=True,
        saboteur="",
        at=NOON,
        verdicts=(found("wire"), found("canary", "disk"), Verdict("leaves", error="it broke off")),
    )

    assert control(Plan.whole(SABOTEUR), proof).found == ["canary: disk: disk!", "leaves: it broke off"]


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With the checks that there are, and saboteurs by their names."""
    matrix = KillMatrix.of([], [Killed.of(row(found("wire", "size")))])
    (tmp_path / "matrix.json").write_text(str(matrix))

    assert KillMatrix.read(tmp_path / "matrix.json") == matrix
    assert [check.check for check in matrix.checks] == list(checks.NAMES)


def test_new_results_take_the_place_of_old_ones() -> None:
    """Those of saboteurs that were not run again stay, unless there is no such saboteur any more."""
    old, new = Killed.of(row()), Killed.of(row(found("wire", "size")))
    others = [old.model_copy(update={"saboteur": name}) for name in ("gone", "other")]
    earlier, now = KillMatrix.of([], [old, *others]), KillMatrix.of([], [new])

    assert now.over(earlier, ["leak", "other"]).saboteurs == [new, others[1]]
