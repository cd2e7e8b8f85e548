"""The check: which number is a finding, for which reason, and what is written down all the same."""

import pytest

from blindrelay.clients.options import Options
from blindrelay.clients.sealed import Hygiene
from blindrelay.proofs.checks import traffic as check
from blindrelay.proofs.checks.model import Report, Verdict
from blindrelay.proofs.traffic.notes import Played
from blindrelay.proofs.traffic.population import invent
from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth
from support.letters import answered, with_names

NOTHING_LEAKS = [(kind, length, 2_048) for kind in (Kind.LETTER, Kind.RECEIPT) for length in range(100, 2_000, 16)]


def judged(traffic: Traffic, sizes: list[tuple[Kind, int, int]] = NOTHING_LEAKS) -> Verdict:
    """What the check says to what a relay has seen and kept."""
    report = Report(check.CHECK.reasons)
    played = Played(traffic=traffic, kept=list(traffic.seen), sizes=sizes)
    check._played(played, check._Judge(report, "relay"))
    return report.verdict("traffic", 0.0)


def reasons(verdict: Verdict) -> set[str]:
    """Why something was found."""
    return {finding.reason for finding in verdict.findings}


def quiet() -> Traffic:
    """Letters whose receipts wait for long."""
    return answered(pairs=20, letters=6, after=lambda chance: chance.uniform(3_000, 30_000))


def test_what_is_within_limits_is_measured_and_not_found() -> None:
    """A check that passes has numbers, each with its limit."""
    verdict = judged(quiet())

    assert verdict.passed
    assert {one.what for one in verdict.measured if one.limit is not None} >= {
        "letters whose sender is named, sealed",
        "bits about a letter's length in its size",
    }


def test_receipts_within_seconds_name_the_sender() -> None:
    """And tell most of the bits that there are."""
    verdict = judged(answered(pairs=20, letters=6, after=lambda chance: chance.uniform(1, 5)))

    assert reasons(verdict) == {"sender_linked", "timing_leaks"}


def test_senders_that_are_written_down_are_found() -> None:
    """In the posture `sealed` there is to be none."""
    assert "sender_named" in reasons(judged(with_names(quiet())))


def test_sizes_that_tell_lengths_are_found() -> None:
    """Envelopes as long as what is in them."""
    assert reasons(judged(quiet(), [(kind, length, length) for kind, length, _ in NOTHING_LEAKS])) == {"size_leaks"}


def test_sizes_that_tell_letters_from_receipts_are_found() -> None:
    """One size for all letters, and another one for all receipts."""
    sizes = [(kind, length, 2_048 if kind is Kind.LETTER else 1_024) for kind, length, _ in NOTHING_LEAKS]

    assert reasons(judged(quiet(), sizes)) == {"size_leaks"}


def test_connections_and_questions_that_sign_letters_are_found() -> None:
    """All letters of a sender over one connection, each after a question about them."""
    passed = [
        each
        for number in range(20)
        for each in (
            (Seen(3_600.0 * number, None, "x/alice/", 0, f"q{number}"), Truth("", Kind.QUESTION, 0, "")),
            (
                Seen(3_600.0 * number + 1, None, f"x/p{number % 3}/a", 2_048, f"c{number % 3}"),
                Truth("x/alice/a", Kind.LETTER, 9, str(number)),
            ),
        )
    ]

    assert reasons(judged(Traffic.of(passed))) >= {"connection_ties", "sender_signed"}


def test_the_model_is_judged_by_the_clients_own_habits() -> None:
    """Shorten the pause before receipts in the product, and the institution's letters have names."""
    report, hasty = Report(check.CHECK.reasons), Report(check.CHECK.reasons)
    check.measure_model(invent(100, 1, seed=1), Options(), report)
    soon = Options(hygiene=Hygiene(receipt=(1.0, 5.0)))
    check.measure_model(invent(100, 1, seed=1), soon, hasty)

    assert reasons(report.verdict("traffic", 0.0)) == set()
    assert reasons(hasty.verdict("traffic", 0.0)) == {"sender_linked", "timing_leaks", "posture_no_better"}


def test_a_world_that_cannot_be_played_is_no_pass() -> None:
    """What went wrong in it is in the error."""
    with pytest.raises(RuntimeError, match="no saboteur 'nobody'"):
        check._play(1, "nobody")
