"""The page `docs/reference/checks.md`: what each check promises, where that is in the code, and who shows that it can fail."""

from collections.abc import Iterator, Sequence
from typing import Final

from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.model import Check
from blindrelay.proofs.checks.promises import PROMISES, WITHOUT, Promise
from blindrelay.proofs.saboteurs.model import Saboteur

_HEAD: Final = """\
# The checks, sentence by sentence

What each check of [`blindrelay prove`](command-line.md#blindrelay-prove) looks at, where that is in the code (below
[`proofs/`](../../proofs)), for which reason it finds that it is broken, and which [saboteurs](kill-matrix.md) have to be
found for that reason. A sentence without a reason is held in another way: a check that has not examined what the sentence
is about was *not carried out*, which is no pass, or tests hold it.

This page is made of the code (`python -m blindrelay.proofs.saboteurs.pages`), and a test
holds it to that. What no check can see is in [SECURITY.md](../../SECURITY.md#what-the-checks-cannot-see).
"""


def page(saboteurs: Sequence[Saboteur]) -> str:
    """The page."""
    return "\n".join([_HEAD, *(line for check in catalogue.every() for line in _section(check, saboteurs))])


def why_not(check: str, reason: str) -> str:
    """Why no saboteur has to be found for a reason; empty where one has to be."""
    return WITHOUT.get((check, reason), "")


def _section(check: Check, saboteurs: Sequence[Saboteur]) -> Iterator[str]:
    yield f"## `{check.name}`"
    yield ""
    yield f"Lock *{check.lock}*: {check.title}."
    yield ""
    yield "| what it looks at | in the code | reasons | shown to fail by |"
    yield "|---|---|---|---|"
    for promise in PROMISES[check.name]:
        yield f"| {promise.says} | {_code(promise)} | {_reasons(promise)} | {_shown(check.name, promise, saboteurs)} |"
    yield ""
    yield f"It was not carried out unless it has examined: {', '.join(check.needs)}."
    yield ""


def _code(promise: Promise) -> str:
    return ", ".join(f"`{place}`" for place in promise.code)


def _reasons(promise: Promise) -> str:
    return ", ".join(f"`{reason}`" for reason in promise.reasons) or "-"


def _shown(check: str, promise: Promise, saboteurs: Sequence[Saboteur]) -> str:
    found = []
    for reason in promise.reasons:
        names = [f"`{each.name}`" for each in saboteurs if (check, reason) in each.caught_by]
        found += names or [f"nobody for `{reason}`: {why_not(check, reason)}"]
    return ", ".join(dict.fromkeys(found)) or "-"
