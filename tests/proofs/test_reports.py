"""A proof as JSON and as a page: whole, verdict first, harmless whatever is in it, and with what it cannot see."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from blindrelay.proofs import reports
from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.model import Finding, Lock, Measurement, Verdict
from blindrelay.proofs.evidence.manifest import Trouble
from blindrelay.proofs.limits import CANNOT_SEE
from blindrelay.proofs.prove import Proof
from blindrelay.proofs.reports import Leak
from blindrelay.protocol.errors import Malformed

AT = datetime(2026, 3, 10, 8, 30, tzinfo=UTC)
NASTY = '<script>alert("1")</script> & \x1b[31m'
EXAMINED = {
    "packages": 11,
    "bytes of log": 13_463,
    "canaries: subject": 2,
    "canaries: token": 8,
    "canaries: known text": 0,
}
GOOD = Verdict("canary", examined=EXAMINED, seconds=1.26, skipped=("process memory: not here",))
BAD = Verdict("forms", (Finding("unknown-file", NASTY),), dropped={"unknown-file": 312})
BROKEN = Verdict("policy", error="nothing was examined of: mutants of policies")
LEFT_OUT = {"wire": "nobody has asked for it"}
CAUGHT = Leak(
    saboteur="ghost-device", title="adds a reader", lock="keys", caught=True, by="wire", reason="ghost", said=NASTY
)
MISSED = Leak(saboteur="whisper", title="whispers", lock="form", caught=False)


def proof(*verdicts: Verdict, troubles: tuple[Trouble, ...] = ()) -> Proof:
    """A proof with these verdicts."""
    facts = {"version": "1.2.3", "letters": 1_234}
    return Proof(True, "", AT, verdicts, troubles, 41.26, facts, LEFT_OUT)


def test_json_has_everything() -> None:
    """And it is JSON: by lock, with what findings mean, what was left out and what no check can see."""
    found = json.loads(json.dumps(reports.as_json(proof(GOOD, BAD))))

    assert found["format"] == reports.FORMAT
    assert (found["passed"], found["quick"], found["at"], found["seconds"]) == (
        False,
        True,
        "2026-03-10T08:30:00+00:00",
        41.3,
    )
    assert found["run"] == {"version": "1.2.3", "letters": 1_234}
    assert found["left_out"] == LEFT_OUT
    keys, form = found["locks"]
    assert (keys["lock"], keys["claim"], keys["passed"]) == ("keys", Lock.KEYS.claim, True)
    assert (form["lock"], form["passed"]) == ("form", False)
    (canary,) = keys["checks"]
    assert (canary["check"], canary["title"], canary["passed"]) == ("canary", catalogue.find("canary").title, True)
    assert (canary["examined"], canary["skipped"], canary["seconds"]) == (EXAMINED, ["process memory: not here"], 1.3)
    (finding,) = form["checks"][0]["findings"]
    assert finding == {
        "reason": "unknown-file",
        "text": NASTY,
        "meaning": "a package holds a file that packages do not have",
    }
    assert form["checks"][0]["dropped"] == {"unknown-file": 312}
    assert [limit["title"] for limit in found["cannot_see"]] == [limit.title for limit in CANNOT_SEE]


class _Page(HTMLParser):
    """Collects tags, ids, and where links and pictures point to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.targets += [value or "" for name, value in attrs if name in {"href", "src", "action", "style"}]

    def handle_data(self, data: str) -> None:
        self.words += data


PAGE = reports.html(proof(GOOD, BAD, BROKEN, troubles=(Trouble(stage="letters wait", error=NASTY),)), (CAUGHT, MISSED))


def test_a_page_stands_alone() -> None:
    """No script, nothing from elsewhere, and words of others are words. Every link leads to a place in it."""
    page = _Page(PAGE)

    assert set(page.tags).isdisjoint({"script", "link", "img", "iframe", "object", "form"})
    assert {target[0] for target in page.targets} == {"#"}
    assert {target[1:] for target in page.targets} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert "://" not in PAGE
    assert "url(" not in PAGE
    assert "<script" not in PAGE
    assert "&lt;script&gt;" in PAGE


def test_a_page_has_a_form_that_everybody_can_read() -> None:
    """Its language, one first heading, landmarks, headings of columns, and no verdict by colour alone."""
    page = _Page(PAGE)

    assert '<html lang="en">' in PAGE
    assert page.tags.count("h1") == page.tags.count("main") == 1
    assert {"header", "nav", "footer"} <= set(page.tags)
    assert PAGE.count("<th ") == PAGE.count("<th scope=")
    for word in ("passed", "failed", "holds", "does not hold", "not shown"):
        assert word in page.words


def test_the_verdict_comes_first() -> None:
    """Before anything that it rests on; a run that is not whole has none."""
    for one, heading in (
        (proof(GOOD), "Nothing came out"),
        (proof(GOOD, BAD), "Not proved"),
        (proof(BROKEN), "Not proved"),
    ):
        text = _Page(reports.html(one)).words
        assert heading in text.split("Keys")[0].split("Form")[0].split("Policy")[0]
    assert "Not proved" in reports.html(proof(GOOD, troubles=(Trouble(stage="letters wait", error="late"),)))
    assert "Nothing came out" not in reports.html(proof(BAD))


@pytest.mark.parametrize(
    "part",
    [
        Lock.KEYS.claim,
        "The run is not whole: letters wait",
        "13.5 kB",
        "subject: 2; token: 8",
        "a package holds a file that packages do not have",
        "and 312 more",
        "nothing was examined of: mutants of policies",
        "process memory: not here",
        "nobody has asked for it",
        "a canary is in the log, a traceback or an exception's text",
        "1,234",
        "1 of 2 deliberate leaks were found",
        *(limit.text for limit in CANNOT_SEE),
    ],
)
def test_a_page_shows(part: str) -> None:
    """Claims, evidence, findings with what they mean, what was skipped, what cannot be seen, the run, the kill matrix."""
    assert part in _Page(PAGE).words


def test_a_page_shows_what_was_measured() -> None:
    """Beside a guess and the limit."""
    one = Verdict(
        "wire", measured=(Measurement("senders linked", 0.1234, "share", 0.1, 0.3), Measurement("size", 1.5, "bits"))
    )
    words = _Page(reports.html(proof(one))).words

    for part in ("senders linked", "0.123", "0.1", "0.3", "1.5 bits", "-"):
        assert part in words


def test_what_was_examined_is_put_in_order() -> None:
    """Kinds of one thing together, bytes in a unit to read, and nothing of which there was none."""
    found = reports.amounts(EXAMINED | {"bytes searched": 5, "things": 0})

    assert [(one.number, one.what, one.parts) for one in found] == [
        ("10", "canaries", ("subject: 2", "token: 8")),
        ("11", "packages", ()),
        ("13.5 kB", "log", ()),
        ("5 bytes", "searched", ()),
    ]


@pytest.mark.parametrize(
    ("count", "words"), [(999, "999 bytes"), (1_000, "1.0 kB"), (37_861_480, "37.9 MB"), (5 * 10**16, "50000.0 TB")]
)
def test_size_is_in_a_unit_to_read(count: int, words: str) -> None:
    """However large."""
    assert reports.size(count) == words


def test_a_kill_matrix_is_read(tmp_path: Path) -> None:
    """As it is written; what is new in it is let be."""
    path = tmp_path / "matrix.json"
    rows = [CAUGHT.model_dump() | {"cells": {"wire": "caught"}}, MISSED.model_dump()]
    path.write_text(json.dumps({"format": "any", "saboteurs": rows}))

    assert reports.read_matrix(path) == (CAUGHT, MISSED)


@pytest.mark.parametrize("text", ["", "{}", '{"saboteurs": [{"saboteur": 1}]}', "\x00"])
def test_what_is_no_kill_matrix_is_said_to_be_none(text: str, tmp_path: Path) -> None:
    """With its name, and what was expected."""
    path = tmp_path / "matrix.json"
    path.write_text(text)

    with pytest.raises(Malformed, match=r"matrix\.json is no kill matrix .* expected what `blindrelay sabotage matrix"):
        reports.read_matrix(path)


def test_the_page_on_security_says_the_same() -> None:
    """What no check can see is in SECURITY.md, in the words of the reports."""
    page = " ".join((Path(__file__).parents[2] / "SECURITY.md").read_text("utf-8").split())

    for limit in CANNOT_SEE:
        assert f"- **{limit.title}** {limit.text}" in page


def test_a_lock_that_was_not_examined_is_not_shown_to_hold() -> None:
    """All five are named, whatever was asked for."""
    page = reports.html(proof(GOOD))
    words = " ".join(_Page(page).words.split())

    for lock in Lock:
        assert lock.claim in words
    assert page.count(">not examined<") == len(Lock) - 1
    assert words.count("✓ holds") == 2


def test_a_page_about_a_disk_claims_no_more_than_a_disk_shows() -> None:
    """It is somebody's relay, and nothing was found; that is not that a lock holds."""
    page = reports.html(
        replace(proof(Verdict("retention", examined={"files": 3})), against="/srv/<relay>", quick=False)
    )
    words = " ".join(_Page(page).words.split())

    assert "Nothing was found. A relay was examined as it is on disk: /srv/<relay>" in words
    assert "✓ nothing found" in words
    assert "erased envelopes have left no byte" in words
    assert "holds" not in words.split("What these checks cannot see")[0].replace("that the relay holds", "")
    assert "blindrelay prove yourself, with --against for this relay" in words
