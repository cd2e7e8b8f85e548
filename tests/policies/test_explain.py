"""What an authority could get, and why: nothing that the engine does not say."""

from dataclasses import replace
from itertools import product

import pytest

from blindrelay.policies.cells import Cell, Column
from blindrelay.policies.explain import explain
from blindrelay.policies.hypothesis import Circumstances
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Ground, Mode, Outcome, Purpose, Scope
from support.lawful import GLOBEX, by_class, data, decided, request

ORDER = Circumstances(
    instrument="us/d-order",
    issuer=AuthorityKind.JUDGE,
    asker=AuthorityKind.POLICE,
    tenant="globex.example",
    tenant_jurisdictions=frozenset({"us"}),
    authority_jurisdiction="us",
)


def only(policies: Policies, circumstances: Circumstances, column: Column, how: str = "stored") -> Cell:
    (cell,) = explain(policies, circumstances, [column], [how]).cells
    return cell


@pytest.mark.parametrize("instrument", ["us/d-order", "us/search-warrant", "uk/cd-authorisation", "eu/epoc-traffic"])
def test_it_is_what_the_engine_decides_for_such_a_request(policies: Policies, instrument: str) -> None:
    """Outcome, ground, reasons, what the law says, and what would change it: of every class in every mode of a data demand."""
    home = instrument.partition("/")[0]
    about = {"issuer": AuthorityKind.JUDGE, "tenant_jurisdictions": frozenset({home}), "authority_jurisdiction": home}
    for scope, years in product((Scope.ACCOUNTS, Scope.TENANT), (None, 5)):
        found = explain(
            policies, replace(ORDER, instrument=instrument, scope=scope, offence_max_years=years, **about)
        ).cells
        targets = {"targets": [GLOBEX]} if scope is Scope.TENANT else {}
        made = request(
            instrument,
            *(data(*DataClass, mode=mode, demand_id=mode, **targets) for mode in (Mode.STORED, Mode.PRESERVE)),
            offence_max_years=years,
            enforcing_authority_notified=True,
        )
        decision = decided(policies, made)
        for number, mode in enumerate((Mode.STORED, Mode.PRESERVE)):
            told = {cell.column: cell for cell in found if cell.how == mode}
            for each in by_class(decision, number).values():
                cell = told[Column(each.data_class)]
                assert (cell.outcome, cell.ground, cell.law) == (each.outcome, each.ground, each.law)
                assert [reason.policy_id for reason in cell.reasons] == [one.policy_id for one in each.reasons]
                assert cell.would_change == each.would_change


def test_it_names_the_policy_and_its_line(policies: Policies) -> None:
    """So that whoever doubts it looks it up."""
    cell = only(policies, ORDER, Column.TRAFFIC)
    (reason,) = cell.reasons
    (policy,) = [each for each in policies.packs["us"].policies if each.id == reason.policy_id]

    assert (cell.outcome, reason.policy_id) == (Outcome.GRANTED, "us/us-d-order-traffic")
    assert reason.location == policy.location == f"packs/us/stored.cedar:{policy.text.line}"


def test_it_says_what_would_have_to_differ(policies: Policies) -> None:
    """Another issuer, for an order that nobody but a judge issues."""
    found = only(policies, replace(ORDER, issuer=AuthorityKind.PROSECUTOR), Column.TRAFFIC)

    assert (found.outcome, found.ground) == (Outcome.REFUSED, Ground.WRONG_AUTHORITY)
    assert found.would_change == ("The same order, issued or approved by a judge.",)


def test_it_answers_for_this_tenant_and_this_purpose(policies: Policies) -> None:
    """Another country's enterprise is another answer; so is a purpose that the policies look at."""
    abroad = only(policies, replace(ORDER, tenant_jurisdictions=frozenset({"eu"})), Column.TRAFFIC)
    european = replace(
        ORDER,
        instrument="eu/epoc-traffic",
        authority_jurisdiction="de",
        tenant_jurisdictions=frozenset({"fr"}),
        harm_stated=True,
    )

    assert (abroad.outcome, abroad.ground) == (Outcome.REDIRECTED, Ground.NO_JURISDICTION)
    assert not only(policies, european, Column.ACCESS).gives
    assert only(policies, replace(european, purpose=Purpose.IDENTIFY), Column.ACCESS).gives


def test_everybodys_data_is_one_column_and_is_refused(policies: Policies) -> None:
    """Whatever class of it is asked for, and in whatever mode."""
    found = explain(policies, replace(ORDER, scope=Scope.ALL_USERS))

    assert {cell.outcome for cell in found.cells} == {Outcome.REFUSED}
    assert {cell.ground for cell in found.cells if cell.column is Column.BULK} == {Ground.BULK}


def test_same_answers_are_given_once(policies: Policies) -> None:
    """Content is refused for one reason, in whatever mode it is asked for."""
    found = explain(policies, ORDER)

    assert len(found.answers()) < len(found.cells)
    assert [answer.how for answer in found.answers() if answer.cell.column is Column.CONTENT] == [
        ("stored", "preserve", "stream")
    ]
    assert Column.SERVICE not in {cell.column for cell in found.cells}
    assert {cell.column for cell in explain(policies, replace(ORDER, instrument="us/pen-trap")).cells} >= set(
        list(Column)[:5]
    )
    assert explain(policies, replace(ORDER, instrument="us/pen-trap")).unconfirmed


def test_an_instrument_that_there_is_not_is_no_answer(policies: Policies) -> None:
    """A misspelt id is not a refusal."""
    for instrument in ("us/nothing", "zz/order"):
        with pytest.raises(KeyError):
            explain(policies, replace(ORDER, instrument=instrument))
