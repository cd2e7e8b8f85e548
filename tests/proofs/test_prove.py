"""The proof as people run it: of the honest system, and of each saboteur."""

import json
import subprocess
import sys
from typing import Any

import pytest

from blindrelay.proofs.saboteurs.catalogue import find, names

#: The saboteurs of every run of the suite: one for each lock and kind of check. `blindrelay sabotage matrix` runs all.
EVERY_RUN = ("subject-outside", "token-in-log", "released-without-leaf")


def blindrelay(*arguments: str) -> tuple[int, dict[str, Any]]:
    """Run a command; its exit status, and the JSON that it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "blindrelay", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_nothing_comes_out_of_the_honest_system() -> None:
    """Every check is carried out, and none finds anything."""
    status, proof = blindrelay("prove", "--quick")

    assert proof["troubles"] == []
    checks = [check for lock in proof["locks"] for check in lock["checks"]]
    assert [check for check in checks if not check["passed"]] == []
    assert proof["passed"]
    assert status == 0


@pytest.mark.parametrize("name", EVERY_RUN)
def test_saboteur_is_found(name: str) -> None:
    """By the check that has to find it, for the reason that it has to give."""
    status, row = blindrelay("sabotage", "run", name)

    assert row["error"] is None
    assert row["caught"], row
    assert (row["by"], row["reason"]) in find(name).caught_by
    assert status == 0


def test_every_saboteur_says_how_it_is_found() -> None:
    """With a lock, a source, and checks and reasons that there are."""
    from blindrelay.proofs.checks import catalogue as checks

    for saboteur in map(find, names()):
        assert saboteur.title
        assert saboteur.modelled_on
        assert saboteur.caught_by
        for check, reason in saboteur.caught_by:
            assert reason in checks.find(check).reasons, saboteur.name


def test_the_saboteurs_of_every_run_are_some() -> None:
    """The list above names saboteurs that there are."""
    assert set(EVERY_RUN) <= set(names())
