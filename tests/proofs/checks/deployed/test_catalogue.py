"""Which checks a data directory can bear out; and a relay as a run has left it, in which none of them finds anything."""

from collections.abc import Callable

import pytest

from blindrelay.proofs.against import Subject, copied
from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.checks.deployed import catalogue
from blindrelay.protocol.clock import SystemClock
from support.somebody import Somebody

#: The other two sweep megabytes, and walk through every decision.
CHEAP = [name for name in catalogue.NAMES if name not in {"canary", "policy"}]
KNOWN = ("a text that nobody in that run has ever written",)


MOMENTS = [("waiting", "canary"), *((moment, name) for moment in ("waiting", "delivered", "aged") for name in CHEAP)]


@pytest.mark.parametrize(("moment", "check"), MOMENTS)
def test_nothing_is_found_in_an_honest_relay(check: str, moment: str, somebody: Callable[[str], Somebody]) -> None:
    """Whatever it is in the middle of."""
    verdict = somebody(moment).examine(check, known=KNOWN)

    assert verdict.error is None
    assert verdict.findings == ()
    assert all(verdict.examined[what] for what in catalogue.find(check).needs)


def test_every_check_examines_a_relay_or_says_why_not(waiting: Somebody) -> None:
    """None is forgotten, and none is carried out that does not apply."""
    with copied(Subject(waiting.data), SystemClock(), lambda _: None) as (deployment, _):
        left_out = catalogue.left_out(deployment)

    assert set(catalogue.NAMES) <= set(checks.NAMES)
    assert set(left_out) == {"canary", *checks.NAMES} - set(catalogue.NAMES) | {"canary"}
    assert all(left_out.values())
    assert "--known" in left_out["canary"]


def test_a_check_that_needs_a_run_is_not_found() -> None:
    """The error says why."""
    with pytest.raises(LookupError, match="'wire' needs a run: what crosses the wire is on no disk"):
        catalogue.find("wire")


def test_without_a_desk_nothing_is_said_about_cases(waiting: Somebody) -> None:
    """That is no pass: those checks are left out."""
    for path in waiting.data.glob("desk.*"):
        path.unlink()
    (waiting.data / "blindrelay.toml").write_text("[desk]\nenabled = false\n")

    with copied(Subject(waiting.data), SystemClock(), lambda _: None) as (deployment, _):
        assert {"reconciliation", "policy"} <= set(catalogue.left_out(deployment))
