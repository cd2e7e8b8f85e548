"""`blindrelay policy`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from support.commands import Ran
from support.packs import PERMIT, write_pack

Run = Callable[..., Ran]
D_ORDER = ("policy", "explain", "--instrument", "us/d-order", "--tenant", "globex.example", "--authority-kind")
CONTENT = """@id("content") @reason("Everything.") @source("Act s.9") @mark("U")
permit (principal, action == Action::"disclose", resource is Content)
when { context.id == "zz/order" };
"""


def test_the_shipped_packs_have_no_error(blindrelay: Run) -> None:
    """`lint` without a path looks at what comes along; a warning is no error."""
    ran = blindrelay("policy", "lint")

    assert ran.code == ExitCode.OK, ran.out
    assert ran.out.splitlines()[-1].startswith("au, eu, in, invariants, pk, uk, us: ")
    assert " 0 errors, " in ran.out


@pytest.mark.parametrize("which", [".", "zz"])
def test_lint_points_at_the_file_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blindrelay: Run, which: str
) -> None:
    """File, line and column as an editor takes them, what is wrong, and what to do; the exit code says that it is."""
    write_pack(tmp_path, PERMIT + CONTENT)
    monkeypatch.chdir(tmp_path)
    ran = blindrelay("policy", "lint", which)

    assert ran.code == ExitCode.MALFORMED
    assert "zz/policies.cedar:8:62: error: would disclose Content" in ran.out
    assert "[discloses-content]\n    Take the policy out" in ran.out
    assert ran.out.endswith("1 error, 0 warnings\n")


def test_lint_for_programs(tmp_path: Path, blindrelay: Run) -> None:
    """A finding on each line, and nothing else."""
    pack = write_pack(tmp_path, PERMIT.replace('@mark("C")\n', ""))
    ran = blindrelay("policy", "lint", pack, "--json")
    (found,) = [json.loads(line) for line in ran.out.splitlines()]

    assert ran.code == ExitCode.OK
    assert (found["code"], found["severity"], found["policy"]) == ("mark", "warning", "order-traffic")
    assert found["place"] == f"{pack}/policies.cedar:1:1"


def test_lint_of_a_folder_without_packs(tmp_path: Path, blindrelay: Run) -> None:
    """Nothing was checked, and that is no success."""
    ran = blindrelay("policy", "lint", tmp_path)

    assert ran.code == ExitCode.MALFORMED
    assert "holds no pack" in ran.out
    assert "Name a folder" in ran.out


def test_explain_says_what_and_why(blindrelay: Run) -> None:
    """Outcome, policy with file and line, source and mark; the law where it is not followed; what would have to differ."""
    granted = blindrelay(*D_ORDER, "police", "--issued-by", "judge", "--class", "TRAFFIC", "--mode", "stored")
    refused = blindrelay(*D_ORDER, "police", "--class", "TRAFFIC", "--mode", "stored")
    warrant = blindrelay(*D_ORDER, "judge", "--instrument", "us/search-warrant", "--class", "CONTENT")

    assert (granted.code, refused.code, warrant.code) == (ExitCode.OK,) * 3, granted.err
    assert "TRAFFIC, stored: granted\n" in granted.out
    assert "[us/us-d-order-traffic; packs/us/stored.cedar:" in granted.out
    assert "S, from a secondary source" in granted.out
    assert "PRESERVE" not in granted.out
    assert "refused, since the instrument has to be issued by somebody else" in refused.out
    assert "What would have to differ: The same order, issued or approved by a judge." in refused.out
    assert "approve it" not in refused.out
    assert "The law, beside the operator's policy: In law, " in warrant.out
    assert "since the relay does not have it" in warrant.out


def test_explain_says_what_is_unconfirmed_in_words(blindrelay: Run) -> None:
    """A U is no footnote."""
    ran = blindrelay(*D_ORDER, "judge", "--instrument", "us/pen-trap", "--class", "TRAFFIC", "--mode", "stream")

    assert "granted  rests on something unconfirmed (U)" in ran.out
    assert "UNCONFIRMED: have it checked before you rely on it" in ran.out
    assert ran.out.endswith("Not legal advice.\n")


def test_explain_for_programs(blindrelay: Run) -> None:
    """Each thing that can be asked for on a line of its own."""
    ran = blindrelay(*D_ORDER, "judge", "--jurisdiction", "us", "--json")
    found = {(each["asked"], each["how"]): each for each in map(json.loads, ran.out.splitlines())}

    assert found["TRAFFIC", "stored"]["outcome"] == "granted"
    assert found["TRAFFIC", "stored"]["reasons"][0]["policy_id"] == "us/us-d-order-traffic"
    assert {each["outcome"] for (asked, _), each in found.items() if asked in {"CONTENT", "KEYS", "CAPABILITY"}} == {
        "refused"
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["judge", "--instrument", "us/nothing"], "there are us/subpoena, us/d-order"),
        (["judge", "--instrument", "nothing"], "there are au, eu, in"),
        (["king"], "king"),
        (["judge", "--jurisdiction", "usa"], "usa"),
        (["judge", "--tenant", "not a tenant"], "not a tenant"),
    ],
)
def test_explain_of_what_there_is_not(blindrelay: Run, arguments: list[str], said: str) -> None:
    """Exit code 2, and what there is."""
    ran = blindrelay(*D_ORDER, *arguments)

    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert said in ran.err


@pytest.mark.parametrize("width", ["80", "160"])
def test_matrix_is_a_table(monkeypatch: pytest.MonkeyPatch, blindrelay: Run, width: str) -> None:
    """In a narrow terminal, too: nothing falls off its edge."""
    monkeypatch.setenv("COLUMNS", width)
    ran = blindrelay("policy", "matrix", "uk")

    assert ran.code == ExitCode.OK
    assert "uk: United Kingdom, as of" in ran.out
    row = ran.out.split("uk/bulk-interception")[1].split("uk/bulk-acquisition")[0]
    assert "refused: bulk (C)" in row
    assert "held (C)" in row
    assert "Not legal advice." in ran.out
    assert max(map(len, ran.out.splitlines())) <= int(width)


def test_matrix_of_own_packs(tmp_path: Path, blindrelay: Run) -> None:
    """As Markdown and for programs."""
    write_pack(tmp_path)
    table = blindrelay("policy", "matrix", "--policies", tmp_path, "--format", "markdown")
    ran = blindrelay("policy", "matrix", "zz", "--policies", tmp_path, "--format", "json")
    found = {each["asked"]: each for each in map(json.loads, ran.out.splitlines())}

    assert "## zz: Nowhere" in table.out
    assert "| `zz/order` | Act s.1 | " in table.out
    assert found["TRAFFIC"]["how"] == ["stored"]
    assert {found[each]["outcome"] for each in ("CONTENT", "KEYS", "BULK", "CAPABILITY")} == {"refused"}
    assert blindrelay("policy", "matrix", "xx", "--policies", tmp_path).code == ExitCode.USAGE


def test_diff_says_what_moves_and_why(tmp_path: Path, blindrelay: Run) -> None:
    """From what to what, when, and on what it rested; the exit code judges nothing."""
    old = write_pack(tmp_path / "old")
    new = write_pack(tmp_path / "new", PERMIT.replace(" };", " && context.offence_max_years >= 5 };"))
    ran = blindrelay("policy", "diff", tmp_path / "old", tmp_path / "new")
    table = blindrelay("policy", "diff", old, new, "--format", "markdown")
    (found,) = map(json.loads, blindrelay("policy", "diff", old, new, "--format", "json").out.splitlines())

    assert (ran.code, table.code) == (ExitCode.OK, ExitCode.OK)
    assert "- TRAFFIC, stored: granted (C) -> refused: out of reach (C)" in ran.out
    assert "was: An order reaches traffic records. [zz/order-traffic; packs/zz/policies.cedar:1; C]" in ran.out
    assert "would have to differ: An offence whose highest penalty is 5 years or more" in ran.out
    assert "1 cell moved: 0 give more (+), 1 give less (-), 0 otherwise (~)" in ran.out
    assert "| `-` | `zz/order` | TRAFFIC, stored" in table.out
    assert (found["direction"], found["before"]["outcome"], found["after"]["outcome"]) == ("less", "granted", "refused")
    assert "by judge; offence of 4 years" in found["uses"]


def test_diff_of_what_is_the_same(tmp_path: Path, blindrelay: Run) -> None:
    """Says so; packs that differ in what is no cell are not said to be the same."""
    old, new = write_pack(tmp_path / "old"), write_pack(tmp_path / "new", manifest={"title": "Elsewhere"})

    assert "the packs are the same" in blindrelay("policy", "diff", old, old).out
    assert "although the packs differ" in blindrelay("policy", "diff", old, new).out
    assert blindrelay("policy", "diff", old, new, "--format", "markdown").out == "No cell moves.\n"


def test_packs_that_do_not_load_decide_nothing(tmp_path: Path, blindrelay: Run) -> None:
    """Every command that would ask them shows every error instead, on stderr."""
    bad, good = write_pack(tmp_path / "bad", CONTENT), write_pack(tmp_path / "good")
    for arguments in (["matrix", "--policies", bad], ["diff", good, bad], ["diff", bad, good]):
        ran = blindrelay("policy", *arguments)
        assert (ran.code, ran.out) == (ExitCode.MALFORMED, "")
        assert f"{bad}/policies.cedar:2:62: error: would disclose Content" in ran.err
