"""The kill matrix for people: the page of the reference, and the README's short form. Both are made of the results' file alone.

    python -m blindrelay.proofs.saboteurs.pages

reads `proofs/kill-matrix.json`, and writes `kill-matrix.md` and `checks.md` in the reference, and the part of the README
that is between the marks. What the file says of checks is brought up to date; of saboteurs it says what came of running them.
"""

from collections import Counter
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import catalogue, checks_page, quick
from blindrelay.proofs.saboteurs.results import Killed, KillMatrix
from blindrelay.proofs.shipped import KILL_MATRIX

BEGIN: Final = "<!-- kill matrix: made by `make prove` -->"
END: Final = "<!-- end of kill matrix -->"
#: How much of what a check said fits into the README. Characters.
_SHORT: Final = 110
_MARKS: Final = {"caught": "●", "noticed": "○", "nothing": "·", "failed": "-"}


def page(matrix: KillMatrix) -> str:
    """`docs/reference/kill-matrix.md`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - it is Markdown; `cell` is for what others have worded
    )
    environment.filters |= {"cell": _cell, "verdict": _verdict, "said": _said}
    must = Counter(tuple(pair) for each in matrix.saboteurs for pair in each.must)
    return environment.get_template("kill_matrix.md.j2").render(
        matrix=matrix, locks=Lock, marks=_MARKS, must=must, why_not=checks_page.why_not
    )


def short(matrix: KillMatrix) -> str:
    """The README's: the saboteurs that pick a different lock each, or the same one in another way."""
    by_name = {each.saboteur: each for each in matrix.saboteurs}
    rows = [
        f"| {_cell(each.title)} | {_verdict(each)} | {each.seconds:.0f} s | {_said(each, _SHORT)} |"
        for each in (by_name[name] for name in quick.FIRST)
    ]
    caught = sum(each.caught for each in matrix.saboteurs)
    end = (
        f"{caught} of {len(matrix.saboteurs)} are caught, each by a check and for a reason that were named beforehand; in the\n"
        "honest system nothing is found. [All of them](docs/reference/kill-matrix.md)."
    )
    return "\n".join(["| a deliberate leak | caught by | in | it said |", "|---|---|---|---|", *rows, "", end, ""])


def with_table(readme: str, matrix: KillMatrix) -> str:
    """A README with its table made anew. Raises `ValueError` when the marks are not there."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README has no place for the kill matrix: {BEGIN} ... {END}")
    return f"{before}{BEGIN}\n{short(matrix)}{END}{after}"


def _verdict(each: Killed) -> str:
    return f"`{each.by}` ({each.reason})" if each.caught else "**nobody**"


def _said(each: Killed, length: int) -> str:
    text = " ".join((each.said or each.error or "").split())
    return _cell(text if len(text) <= length else f"{text[: length - 4].rsplit(' ', 1)[0]} ...")


def _cell(text: str) -> str:
    """Words in a table: none of them is markup."""
    for character in "\\`*_|<>[]":
        text = text.replace(character, f"\\{character}")
    return text


def main() -> None:
    """See the module."""
    root = Path(__file__).resolve().parents[2]
    matrix = KillMatrix.read(KILL_MATRIX).with_checks()
    KILL_MATRIX.write_text(str(matrix), encoding="utf-8")
    reference = root / "docs" / "reference"
    (reference / "kill-matrix.md").write_text(page(matrix), encoding="utf-8")
    (reference / "checks.md").write_text(checks_page.page(catalogue.every()), encoding="utf-8")
    readme = root / "README.md"
    readme.write_text(with_table(readme.read_text("utf-8"), matrix), encoding="utf-8")


if __name__ == "__main__":
    main()
