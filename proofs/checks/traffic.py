"""Traffic analysis, measured: what somebody who has the relay learns from who receives what, when and how much.

Nothing here is about content. A check that passes says that the observer learns no more than the limits allow, which is not
nothing: the numbers stand in the verdict, beside what a guess would give. There are two sources of them, and each number says
which it is of. `relay`: real clients write through a real relay for a morning, with their pauses as they are, on a clock that
does not wait (`blindrelay.proofs.traffic.world`). `model`: a larger institution of the same habits, without the encryption
(`blindrelay.proofs.traffic.model`).
"""

import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from blindrelay.clients.options import Options, Posture
from blindrelay.clients.simulation.events import Scenario
from blindrelay.proofs.checks.model import Check, Lock, Measurement, Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.traffic import attribution, disclosure, groups, information, limits, signs
from blindrelay.proofs.traffic.model import Model
from blindrelay.proofs.traffic.notes import Played
from blindrelay.proofs.traffic.population import invent
from blindrelay.proofs.traffic.records import Kind, Traffic

#: Letters that are played through a relay.
_LETTERS: Final = 72
_QUICK_LETTERS: Final = 30
#: People of the model, and their working days.
_INSTITUTION: Final = (500, 3)
_QUICK_INSTITUTION: Final = (200, 2)
#: Lengths are told apart in steps of so many bytes: the ratchet's own blocks.
_BLOCK: Final = 16
#: Statistical disclosure looks so far after an envelope: as long as receipts wait. Seconds.
_WINDOW: Final = 1_800.0
#: Somebody is a correspondent who has written so often.
_OFTEN: Final = 3
_RELAY, _MODEL = "relay", "model"


def examine(evidence: Evidence, report: Report) -> None:
    """Measure both, and hold them to the limits."""
    _played(_play(_QUICK_LETTERS if evidence.quick else _LETTERS, evidence.saboteur), _Judge(report, _RELAY))
    people, days = _QUICK_INSTITUTION if evidence.quick else _INSTITUTION
    measure_model(invent(people, days, seed=1), Options(), report)


def _play(letters: int, saboteur: str) -> Played:
    """What came of some hours of a few people. Raises `RuntimeError` when they could not be played."""
    arguments = ["--letters", str(letters), "--saboteur", saboteur]
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "blindrelay.proofs.traffic.world", *arguments],
        stdin=subprocess.PIPE,  # it leaves when this is closed
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101 - they are pipes
        assert process.stderr is not None  # noqa: S101
        output = process.stdout.read()
        if process.wait():
            raise RuntimeError(f"a morning could not be played: {process.stderr.read()[-1_500:]}")
    return Played.model_validate_json(output)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Writes down numbers of one source, and finds those that are over their limit."""

    report: Report
    source: str

    def tell(self, what: str, value: float, unit: str = "share", *, guess: float | None = None) -> None:
        """A number to be known, for which there is no limit."""
        self.report.measure(Measurement(what, value, unit, guess, source=self.source))

    def hold(
        self, reason: str, what: str, value: float, limit: float, unit: str = "share", *, guess: float | None = None
    ) -> None:
        """A number that is a finding when it is over its limit."""
        self.report.measure(Measurement(what, value, unit, guess, limit, self.source))
        if value > limit:
            self.report.find(reason, f"{what}: {value:.2f} ({unit}), where {limit:.2f} is the limit")


def _played(played: Played, judge: _Judge) -> None:
    traffic, report = played.traffic, judge.report
    letters = {truth.letter for truth in traffic.truth if truth.kind is Kind.LETTER}
    report.examined("letters played through a relay", len(letters))
    report.examined("envelopes that the relay saw", len(traffic.seen))
    report.examined("envelopes weighed", len(played.sizes))
    written = [seen.sender is not None for seen in played.kept]
    judge.hold(
        "sender_named", "envelopes whose sender is written down, sealed", sum(written) / max(1, len(written)), 0.0
    )
    _timing(traffic, judge, limits.ATTRIBUTED, Posture.SEALED)
    tied, pairs = signs.tied(traffic)
    report.examined("pairs of letters to the same person", pairs)
    judge.hold("connection_ties", "pairs of letters to somebody tied by a connection", tied, limits.TIED)
    judge.hold("sender_signed", "letters signed by a copy beside them", signs.copied(traffic), limits.SIGNED)
    judge.hold("sender_signed", "letters signed by a question beside them", signs.asked(traffic), limits.SIGNED)
    _sizes(played.sizes, judge)


def _timing(traffic: Traffic, judge: _Judge, limit: float, posture: Posture) -> float:
    """Who wrote which letter; the share of those whose sender is named."""
    guesses = attribution.best(traffic)
    share, bits = attribution.attributed(guesses, traffic), max(0.0, attribution.bits(guesses))
    guess, most = attribution.by_volume(traffic), attribution.all_bits(guesses)
    what, how_much = f"letters whose sender is named, {posture}", f"bits about a letter's sender, {posture}"
    if posture is Posture.SEALED:
        judge.hold("sender_linked", what, share, limit, guess=guess)
        judge.hold("timing_leaks", how_much, bits, limits.TIMING_SHARE * most, "bits", guess=0.0)
    else:
        judge.tell(what, share, guess=guess)
        judge.tell(how_much, bits, "bits", guess=0.0)
    return share


def _sizes(weighed: Sequence[tuple[Kind, int, int]], judge: _Judge) -> None:
    lengths = [(length // _BLOCK, size) for kind, length, size in weighed if kind is Kind.LETTER]
    told = information.mutual_information(lengths)
    judge.hold("size_leaks", "bits about a letter's length in its size", told, limits.SIZE_BITS, "bits", guess=0.0)
    judge.tell("the same if nothing were padded", information.entropy(Counter(length for length, _ in lengths)), "bits")
    kinds = information.mutual_information((kind, size) for kind, _, size in weighed)
    what = "bits of whether it is a letter or a receipt in its size"
    judge.hold("size_leaks", what, kinds, limits.KIND_BITS, "bits", guess=0.0)


def measure_model(scenario: Scenario, options: Options, report: Report) -> None:
    """The same letters in both postures, by clients with these habits, without the encryption."""
    judge = _Judge(report, _MODEL)
    report.examined("letters of the model", len(scenario.events))
    known: dict[Posture, float] = {}
    for posture in Posture:
        traffic = Model(scenario, posture, options).play()
        report.examined("envelopes of the model, in both postures", len(traffic.seen))
        known[posture] = _timing(traffic, judge, limits.ATTRIBUTED_IN_MODEL, posture)
        _correspondents(traffic, posture, judge)
        _groups(traffic, posture, judge)
    hidden = known[Posture.STANDARD] - known[Posture.SEALED]
    judge.tell("letters whose sender sealed hides", hidden)
    if hidden < limits.HIDDEN:
        text = f"sealed hides the senders of {hidden:.2f} of all letters, where {limits.HIDDEN:.2f} is the least"
        report.find("posture_no_better", text)


def _correspondents(traffic: Traffic, posture: Posture, judge: _Judge) -> None:
    truth = disclosure.who_writes(traffic, _OFTEN)
    is_sealed = posture is Posture.SEALED
    ranked = disclosure.correspondents(traffic.seen, _WINDOW) if is_sealed else disclosure.named(traffic.seen)
    guess = disclosure.linked(disclosure.by_volume(traffic.seen), truth)
    judge.tell(f"correspondents found, {posture}", disclosure.linked(ranked, truth), guess=guess)


def _groups(traffic: Traffic, posture: Posture, judge: _Judge) -> None:
    found = groups.find(traffic.seen)
    judge.tell(f"groups found, {posture}", groups.found(found, groups.real(traffic)), guess=0.0)
    judge.tell(f"senders of letters to groups, {posture}", groups.senders(found, traffic), guess=0.0)


CHECK: Final = Check(
    name="traffic",
    lock=Lock.FORM,
    title="what an observer of the relay learns from who receives when, and how much, is within limits, in numbers",
    reasons={
        "sender_named": "the relay has written down who sent a sealed letter",
        "sender_linked": "an observer of the relay names the senders of too many sealed letters",
        "sender_signed": "something beside a sealed letter says whose it is",
        "connection_ties": "sealed letters are tied together by the connection that they come over",
        "timing_leaks": "timing tells too much about the sender of a sealed letter",
        "size_leaks": "the size of an envelope tells too much about what is in it",
        "posture_no_better": "sealed hides hardly more than standard",
    },
    needs=(
        "letters played through a relay",
        "envelopes that the relay saw",
        "envelopes weighed",
        "letters of the model",
    ),
    needs_a_run=False,
    examine=examine,
)
