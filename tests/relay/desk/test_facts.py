"""From which facts a request is decided (`relay/desk/facts.py`): what they are, and that asking for them tells nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from blindrelay.policies.decision import Facts
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.facts import FactFinder, Question
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.register import Register
from support.clerks import Office

TARGETS = [
    ("user", "bob@globex.example"),
    ("user", "nobody@globex.example"),
    ("user", "bob@nowhere.example"),
    ("user", "bob'; --@globex.example"),
    ("device", "globex.example/bob/phone"),
    ("device", "globex.example/bob/watch"),
    ("device", "globex.example"),
]


def found(office: Office, target: tuple[str, str]) -> Facts:
    """The facts for a request about one target."""
    kind, value = target
    request = office.request(office.demand("d1", targets=[{"format": kind, "value": value}]))
    journal = Journal.open(office.folder)
    try:
        finder = FactFinder(office.metadata, Register(journal), office.settings, Retention())
        return finder.find(Question(request, "us-court", office.now, (), 0, ()), office.now)
    finally:
        journal.close()


@pytest.fixture
def asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every question to the store, as it is put."""
    questions: list[str] = []
    opened = office.metadata

    @contextmanager
    def noting() -> Iterator[Any]:
        with opened() as reader:

            def select(query: Any) -> Any:
                questions.append(str(query))
                return reader.select(query)

            yield SimpleNamespace(select=select)

    monkeypatch.setattr(Office, "metadata", property(lambda _: noting))
    return questions


@pytest.mark.parametrize("kind", ["user", "device"])
def test_nobody_costs_what_somebody_costs(office: Office, asked: list[str], kind: str) -> None:
    """The same questions, whether the person, the enterprise or neither exists: time tells nobody who is there."""
    put = []
    for target in [each for each in TARGETS if each[0] == kind]:
        asked.clear()
        found(office, target)
        put.append([question.partition("WHERE")[0] for question in asked])

    assert len(put[0]) == 4
    assert all(questions == put[0] for questions in put)


def test_who_exists(office: Office) -> None:
    """A person whose enterprise is known has its jurisdiction, whether or not there is such a person."""
    seen = {value: found(office, (kind, value)).targets[0] for kind, value in TARGETS}

    assert [value for value, target in seen.items() if target.exists] == [
        "bob@globex.example",
        "globex.example/bob/phone",
    ]
    assert seen["nobody@globex.example"].jurisdictions == {"us"}
    assert seen["bob@nowhere.example"].jurisdictions == frozenset()


def test_nothing_is_the_authoritys_word(office: Office) -> None:
    """Name, jurisdiction and kind are the register's, whatever the request says of itself."""
    known = found(office, TARGETS[0]).authority

    assert (known.name, known.jurisdiction, known.kind.value) == ("District Court", "us", "judge")
    assert known.is_registered
    assert known.officer_is_enrolled
