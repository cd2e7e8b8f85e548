"""What lint finds, at which line, and that nothing loads in which there is an error."""

from pathlib import Path
from typing import Any

import pytest

from blindrelay.policies.findings import Finding, PacksRejected, Severity
from blindrelay.policies.lint import lint
from blindrelay.policies.packs import Policies
from support.packs import INSTRUMENT, PERMIT, write_pack

NOTES = '@id("x") @reason("r") @source("s") @mark("C")\n'
CONDITION = 'when { context.id == "zz/order" };'
INVARIANTS = Path(__file__).parents[2] / "policies" / "packs" / "invariants" / "invariants.cedar"


def errors(folder: Path) -> list[Finding]:
    found = lint([folder])
    assert all(finding.advice for finding in found)  # whoever is told what is wrong is told what to do, whatever it is
    return [finding for finding in found if finding.is_error]


def test_the_shipped_packs_have_no_error() -> None:
    """Whatever the packs of this repository say, they load."""
    assert [finding for finding in lint() if finding.is_error] == []


def test_a_small_pack_is_clean(tmp_path: Path) -> None:
    """What the other tests change one thing of has nothing wrong with it."""
    assert lint([write_pack(tmp_path)]) == ()


@pytest.mark.parametrize(
    ("policy", "place"),
    [
        ('permit (principal, action == Action::"disclose", resource is Content)\n', "8:62"),
        ('permit (principal, action == Action::"disclose",\n resource is Keys)\n', "9:14"),
        ('permit (principal, action == Action::"stream", resource is Bulk)\n', "8:60"),
        ('permit (principal, action in [Action::"disclose", Action::"demand"], resource)\n', "8:51"),
        ('permit (principal, action == Action::"demand", resource is Capability)\n', "8:60"),
        ('permit (principal, action == Action::"demand", resource == Content::"c")\n', "8:60"),
        ("permit (principal, action, resource)\n", "7:1"),
        ("permit (principal, action, resource is TrafficRecords)\n", "7:1"),
    ],
)
def test_a_policy_that_would_disclose_content_does_not_load(tmp_path: Path, policy: str, place: str) -> None:
    """Lock 2: the error names the file, the line and the column."""
    pack = write_pack(tmp_path, PERMIT + NOTES + policy + CONDITION)

    with pytest.raises(PacksRejected) as rejected:
        Policies.load([pack])

    assert f"packs/zz/policies.cedar:{place}: error: " in str(rejected.value)
    assert "[discloses-content]" in str(rejected.value)
    assert all(found.policy == "zz/x" for found in rejected.value.findings if found.is_error)


def test_a_schema_without_content_rejects_it_even_where_our_own_rule_did_not(tmp_path: Path) -> None:
    """A condition that disclosure be of content is not typed, whatever the scope says."""
    permit = 'permit (principal, action == Action::"disclose", resource)\n'
    text = f'{NOTES}{permit}when {{ context.id == "zz/order" && resource.kind == "CONTENT" }};'
    found = errors(write_pack(tmp_path, text))

    assert {(each.code, each.line) for each in found} == {("schema", 3)}
    assert "kind" in found[0].message


@pytest.mark.parametrize("missing", ["id", "reason", "source"])
def test_each_policy_carries_what_a_decision_says_of_it(tmp_path: Path, missing: str) -> None:
    """Without a name, a reason or a source a decision could not be explained."""
    lines = [line for line in PERMIT.splitlines() if not line.startswith(f"@{missing}(")]
    found = errors(write_pack(tmp_path, "// a comment\n" + "\n".join(lines)))

    assert [(each.code, each.line) for each in found] == [("annotation", 2)]
    assert f"@{missing} is missing" in found[0].message


def test_a_fact_without_a_mark_counts_as_unconfirmed(tmp_path: Path) -> None:
    """It loads, with a warning, and the decision says that it rests on it."""
    pack = write_pack(tmp_path, PERMIT.replace('@mark("C")\n', ""))

    assert [(each.code, each.severity) for each in lint([pack])] == [("mark", Severity.WARNING)]
    assert Policies.load([pack]).packs["zz"].policies[0].mark == "U"


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ('@mark("X")', "@mark is X"),
        ('@ground("whim")', "@ground is whim"),
        ('@note("n")', "unknown annotation @note"),
        ('@id("Order Traffic")', "lower-case"),
    ],
)
def test_annotations_take_known_values(tmp_path: Path, annotation: str, message: str) -> None:
    """What nobody reads is probably a slip."""
    name = annotation.partition("(")[0]
    kept = [line for line in PERMIT.splitlines() if not line.startswith(name)]
    found = errors(write_pack(tmp_path, "\n".join([annotation, *kept])))

    assert [each.line for each in found] == [1]
    assert message in found[0].message


def test_two_policies_of_one_name_are_both_reported(tmp_path: Path) -> None:
    """A decision names its policies: it has to be clear which."""
    found = errors(write_pack(tmp_path, PERMIT + PERMIT))

    assert [(each.code, each.line) for each in found] == [("duplicate-id", 1), ("duplicate-id", 7)]


def test_a_text_that_is_no_policy_is_reported_where_it_begins(tmp_path: Path) -> None:
    """The policies before it are still judged."""
    found = errors(write_pack(tmp_path, PERMIT + "\npermit (principal,\n"))

    assert [(each.code, each.line) for each in found] == [("syntax", 8)]


def test_templates_are_not_used(tmp_path: Path) -> None:
    """A template permits nothing until somebody links it, and nobody here does."""
    text = (
        NOTES
        + 'permit (principal == ?principal, action == Action::"disclose", resource is TrafficRecords)\n'
        + CONDITION
    )

    assert [each.code for each in errors(write_pack(tmp_path, text))] == ["template"]


def test_an_attribute_that_the_schema_does_not_have_is_reported_at_its_line(tmp_path: Path) -> None:
    """A slip in an attribute would make a permit that never applies."""
    found = errors(write_pack(tmp_path, PERMIT.replace("context.issuer", "context.isuer")))

    assert [(each.code, each.line) for each in found] == [("schema", 6)]


def test_a_permit_names_the_instruments_that_it_is_about(tmp_path: Path) -> None:
    """One that names none would hold for a letter without any law behind it."""
    text = PERMIT.replace('context.id == "zz/order" && ', "")

    assert [each.code for each in errors(write_pack(tmp_path, text))] == ["any-instrument"]


@pytest.mark.parametrize("condition", ['context.id == "zz/warrant"', '["zz/order", "zz/warrant"].contains(context.id)'])
def test_a_permit_names_instruments_of_the_manifest(tmp_path: Path, condition: str) -> None:
    """A slip in an id would make a permit that never applies."""
    found = errors(write_pack(tmp_path, PERMIT.replace('context.id == "zz/order"', condition)))

    assert [(each.code, each.line) for each in found] == [("unknown-instrument", 6)]


@pytest.mark.parametrize(
    ("change", "policy"),
    [
        ({"reach": ["SUBSCRIBER"]}, PERMIT),
        ({"reach": ["TRAFFIC"]}, PERMIT.replace("resource is TrafficRecords", "resource")),
        ({"modes": ["preserve"], "preserve": {"days": 90}}, PERMIT),
        ({"service": ["suspend"]}, PERMIT.replace('"disclose"', '"resume"').replace("is TrafficRecords", "is Service")),
    ],
)
def test_policies_permit_no_more_than_the_manifest_says_the_law_reaches(
    tmp_path: Path, change: dict[str, Any], policy: str
) -> None:
    """A manifest and policies that disagree are a mistake in one of them."""
    found = errors(write_pack(tmp_path, policy, instrument=change))

    assert {each.code for each in found} == {"beyond-reach"}
    assert {each.line for each in found} == {6}


def test_a_forbid_with_a_condition_is_a_trap(tmp_path: Path) -> None:
    """Cedar skips a policy whose condition cannot be evaluated: a conditional forbid can vanish."""
    forbid = NOTES + 'forbid (principal, action == Action::"disclose", resource)\nwhen { context.scope == "tenant" };'
    found = lint([write_pack(tmp_path, PERMIT + forbid)])

    assert [(each.code, each.severity, each.line) for each in found] == [("conditional-forbid", Severity.WARNING, 7)]


def test_a_forbid_about_the_resource_alone_is_no_trap(tmp_path: Path) -> None:
    """An entity's attributes are required and always there."""
    forbid = (
        NOTES
        + 'forbid (principal, action == Action::"demand", resource is Capability)\nwhen { resource.kind == "decryption" };'
    )

    assert lint([write_pack(tmp_path, PERMIT + forbid)]) == ()


def invariants(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "invariants"
    folder.mkdir()
    (folder / "invariants.cedar").write_text(text)
    return folder


@pytest.mark.parametrize("kind", ["Content", "Keys", "Bulk", "Capability"])
def test_invariants_of_ones_own_have_to_forbid_as_much(tmp_path: Path, kind: str) -> None:
    """No folder of packs takes an invariant away by bringing another file."""
    text = INVARIANTS.read_text().replace(
        f"resource is {kind}\n", "resource is Bulk\n" if kind != "Bulk" else "resource is Keys\n"
    )

    assert f"{kind} is not forbidden for everyone" in errors(invariants(tmp_path, text))[0].message


def test_an_invariant_has_no_condition(tmp_path: Path) -> None:
    """Not even one that always holds today."""
    text = INVARIANTS.read_text().replace("resource is Keys\n);", 'resource is Keys\n) when { context.scope != "" };')
    codes = [each.code for each in errors(invariants(tmp_path, text))]

    assert "conditional-forbid" in codes
    assert "invariant" in codes


def test_the_invariants_permit_nothing(tmp_path: Path) -> None:
    """What is permitted stands in a jurisdiction's pack, where a lawyer looks for it."""
    permit = NOTES + 'permit (principal, action == Action::"disclose", resource is TrafficRecords);'

    assert [each.code for each in errors(invariants(tmp_path, INVARIANTS.read_text() + permit))] == ["permits"]


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ({"instruments": [INSTRUMENT | {"issuers": ["king"]}]}, 13, "instruments.0.issuers.0"),
        ({"instruments": [INSTRUMENT | {"reach": ["MOOD"]}]}, 15, "reach"),
        ({"instruments": [INSTRUMENT, INSTRUMENT | {"id": "us/order"}]}, 27, "not an instrument of zz"),
        ({"instruments": [INSTRUMENT, INSTRUMENT | {"title": "Other"}]}, 27, "is there twice"),
        ({"instruments": [INSTRUMENT | {"modes": ["preserve"]}]}, 9, "for how long"),
        ({"instruments": [INSTRUMENT | {"modes": ["build"]}]}, 9, "without capabilities"),
        ({"instruments": [INSTRUMENT | {"modes": ["stream"]}]}, 9, "prospective"),
        ({"instruments": [INSTRUMENT | {"sources": []}]}, 9, "mark U"),
        ({"instruments": [INSTRUMENT | {"sources": ["nowhere"]}]}, 25, "not listed: nowhere"),
        ({"simplifies": []}, 5, "simplifies"),
        ({"title": ""}, 2, "title"),
        ({"surprise": 1}, 29, "surprise"),
        ({"jurisdiction": "yy", "instruments": [INSTRUMENT | {"id": "yy/order"}]}, 1, "the folder is called zz"),
    ],
)
def test_an_error_in_a_manifest_names_its_path_and_line(
    tmp_path: Path, change: dict[str, Any], line: int, message: str
) -> None:
    """A lawyer edits this file: the error has to point."""
    found = [each for each in errors(write_pack(tmp_path, manifest=change)) if each.code == "manifest"]

    assert [each.file for each in found] == ["packs/zz/manifest.yaml"]
    assert message in found[0].message
    assert found[0].line == line


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("jurisdiction: zz\ntitle: a\ntitle: b\n", "title is there twice"),
        ("jurisdiction: [zz\n", "expected"),
        ("", "empty"),
        ("as_of: 2026-02-30\n", "day is out of range"),
    ],
)
def test_a_manifest_that_is_no_plain_yaml_is_an_error(tmp_path: Path, text: str, message: str) -> None:
    """YAML itself would let the last of two keys win; a rule that is silently replaced is worse than none."""
    pack = write_pack(tmp_path)
    (pack / "manifest.yaml").write_text(text)

    assert message in errors(pack)[0].message


def test_a_pack_without_manifest_or_policy_is_an_error(tmp_path: Path) -> None:
    """Half a pack is none."""
    pack = write_pack(tmp_path)
    (pack / "policies.cedar").unlink()
    assert [each.code for each in errors(pack)] == ["empty"]

    (pack / "policies.cedar").write_text(PERMIT)
    (pack / "manifest.yaml").unlink()
    assert [each.code for each in errors(pack)] == ["unreadable"]


def test_all_faults_are_found_at_once(tmp_path: Path) -> None:
    """Whoever corrects a pack wants the whole list."""
    text = PERMIT.replace('@reason("An order reaches traffic records.")\n', "") + PERMIT.replace(
        "order-traffic", "b"
    ).replace("zz/order", "zz/x")

    assert [each.code for each in errors(write_pack(tmp_path, text))] == ["annotation", "unknown-instrument"]
