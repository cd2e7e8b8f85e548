"""How `blindrelay policy` shows what it has found out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from blindrelay.cli.output import console
from blindrelay.policies import letter, reasons
from blindrelay.policies.cells import Cell, Column
from blindrelay.policies.decision import Reason
from blindrelay.policies.diff import Direction, Move
from blindrelay.policies.explain import Answer, Explanation
from blindrelay.policies.findings import Finding
from blindrelay.policies.hypothesis import DEFAULT_TENANT
from blindrelay.policies.matrix import Row, markdown
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import DataClass, Mark

_MARKS: Final = {
    Mark.CONFIRMED: "the text itself was read",
    Mark.SECONDARY: "from a secondary source",
    Mark.UNCONFIRMED: "UNCONFIRMED: have it checked before you rely on it",
}
LEGEND: Final = (
    "yes: how it is given, at best; refused: why; -: refused, and the law does not reach it either. C: the text itself was "
    "read; S: from a secondary source; U: unconfirmed, have it checked before you rely on it. Not legal advice."
)
_ARROWS: Final = {
    Direction.MORE: ("+", "bold red"),
    Direction.LESS: ("-", "green"),
    Direction.OTHERWISE: ("~", "yellow"),
}
_WAYS: Final = 3
#: Columns of a terminal that holds a table with one column for each thing to ask for.
_WIDE: Final = 130


def counted(number: int, what: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def finding(found: Finding, place: str) -> str:
    """Two lines: what is wrong and where, and what to do."""
    return f"{place}: {found.severity}: {found.message} [{found.code}]\n    {found.advice}"


def finding_record(found: Finding, place: str) -> dict[str, Any]:
    """For programs."""
    return {
        "place": place,
        "severity": str(found.severity),
        "code": found.code,
        "policy": found.policy,
        "message": found.message,
        "advice": found.advice,
    }


def show_explanation(found: Explanation) -> None:
    """A line for each answer with its reasons below it, and what goes with all of them."""
    output, under = console(), found.circumstances
    asker = reasons.issuers_in_words([under.asker or under.issuer])
    where = ", ".join(sorted(under.tenant_jurisdictions))
    output.print(
        f"[bold]{escape(asker)} of {under.authority_jurisdiction}, with {escape(reasons.cited(found.instrument))}[/bold]\n"
        f"{escape(replace(under, tenant=DEFAULT_TENANT).described())}; about {escape(under.tenant)} ({where})\n"
        f"[dim]{found.location}; {found.instrument.mark}, {_MARKS[found.instrument.mark]}[/dim]",
        soft_wrap=True,
    )
    for answer in found.answers():
        _show_answer(output, answer)
    output.print()
    for sentence in _beside(found):
        output.print(escape(sentence), soft_wrap=True)


def _show_answer(output: Console, answer: Answer) -> None:
    cell = answer.cell
    style = "bold green" if cell.gives else "bold"
    output.print(
        f"\n[{style}]{cell.column}[/], {escape(reasons.listed(list(answer.how)))}: {_verdict(cell)}", soft_wrap=True
    )
    for reason in cell.reasons:
        output.print(f"  - {escape(_reason(reason))}", soft_wrap=True)
    if cell.law:
        output.print(f"  The law, beside the operator's policy: {escape(cell.law)}", soft_wrap=True)
    if cell.would_change:
        output.print(f"  What would have to differ: {escape(' '.join(cell.would_change))}", soft_wrap=True)


def _verdict(cell: Cell) -> str:
    ground = f", since {letter.GROUNDS[cell.ground]}" if cell.ground else ""
    unsure = "" if cell.mark is not Mark.UNCONFIRMED else "  [yellow]rests on something unconfirmed (U)[/yellow]"
    return f"[bold]{escape(letter.OUTCOMES[cell.outcome] + ground)}[/bold]{unsure}"


def _reason(reason: Reason) -> str:
    place = f"; {reason.location}" if reason.location else ""
    return f"{reason.text} [{reason.policy_id}{place}; {reason.source}; {reason.mark}, {_MARKS[reason.mark]}]"


def _beside(found: Explanation) -> Iterator[str]:
    row = found.instrument
    if found.redirected_to:
        yield f"The authority is sent to: {reasons.listed(list(found.redirected_to))}."
    if found.approvals:
        yield f"Before anything leaves, {found.approvals} different persons of the operator's approve it."
    if row.notification_days:
        classes = reasons.in_words(row.notification_classes)
        yield f"Another state's authority may object to {classes} for {row.notification_days} days before they leave."
    if row.gag:
        told = "may not be told" if row.gag.by_default else "is told unless that is ordered otherwise"
        yield f"The user {told}: {row.gag.limit} ({row.gag.legal_basis or 'no rule'})."
    if row.notes:
        yield f"{row.id}: {row.notes}"
    for reason in found.unconfirmed:
        yield f"Unconfirmed, and what rests on it may be wrong: {_reason(reason)}"
    yield "Not legal advice."


def show_matrix(policies: Policies, rows: Sequence[Row]) -> None:
    """A table for each jurisdiction."""
    output = console()
    for jurisdiction, found in groupby(rows, key=lambda row: row.jurisdiction):
        of_one = list(found)
        columns = _columns(of_one) if output.width >= _WIDE else []
        table = Table(
            box=box.SIMPLE_HEAD, title=escape(_title(policies, jurisdiction)), title_style="bold", title_justify="left"
        )
        table.add_column("instrument", no_wrap=True)
        for column in columns:
            table.add_column(column)
        if not columns:
            table.add_column("what is not -")
        for row in of_one:
            cells = [_styled(row, column) for column in columns] or ["\n".join(_listed(row)) or "[dim]-[/]"]
            table.add_row(row.instrument, *cells)
        output.print(table)
    output.print(LEGEND, style="dim", markup=False)


def matrix_in_markdown(policies: Policies, rows: Sequence[Row]) -> str:
    """A heading and a table for each jurisdiction."""
    parts = [
        f"## {_title(policies, jurisdiction)}\n\n{markdown(found)}"
        for jurisdiction, found in groupby(rows, key=lambda row: row.jurisdiction)
    ]
    return "\n".join([*parts, f"{LEGEND}\n"])


def _title(policies: Policies, jurisdiction: str) -> str:
    manifest = policies.packs[jurisdiction].manifest
    return f"{jurisdiction}: {manifest.title}, as of {manifest.as_of}"


def _columns(rows: Iterable[Row]) -> list[Column]:
    """Classes, BULK and CAPABILITY always; EXPORT and SERVICE where an instrument is about them."""
    seen = {column for row in rows for column, cell in row.cells.items() if cell.how or cell.in_law}
    always = {Column(each) for each in DataClass} | {Column.BULK, Column.CAPABILITY}
    return [column for column in Column if column in seen | always]


def _listed(row: Row) -> Iterator[str]:
    for column, cell in row.cells.items():
        if cell.how or cell.in_law:
            yield f"{column} {_styled(row, column)}"


def _styled(row: Row, column: Column) -> str:
    cell = row.cells[column]
    style = "green" if cell.how else "dim"
    return f"[{style}]{escape(cell.short)}[/]"


def show_diff(found: Sequence[Move], *, same: bool) -> None:
    """Each move: from what to what, when, and what was and is the reason."""
    output = console()
    for instrument, of_one in groupby(found, key=lambda move: move.instrument):
        output.print(f"[bold]{escape(instrument)}[/bold]")
        for move in of_one:
            sign, style = _ARROWS[move.direction]
            output.print(f"  [{style}]{sign} {escape(_moved(move))}[/]", soft_wrap=True)
            output.print(f"      when: {escape(_when(move))}", soft_wrap=True)
            for line in _why(move):
                output.print(f"      {escape(line)}", soft_wrap=True)
    count = {direction: sum(move.direction is direction for move in found) for direction in Direction}
    if found:
        more, less, other = (count[each] for each in (Direction.MORE, Direction.LESS, Direction.OTHERWISE))
        output.print(
            f"{counted(len(found), 'cell')} moved: {more} give more (+), {less} give less (-), {other} otherwise (~)"
        )
    else:
        output.print("no cell moves: the packs are the same" if same else "no cell moves, although the packs differ")


def diff_in_markdown(found: Sequence[Move]) -> str:
    """One table, for a comment on a change."""
    if not found:
        return "No cell moves.\n"
    lines = ["| | instrument | cell | when | why |", "|---|---|---|---|---|"]
    for move in found:
        sign, _ = _ARROWS[move.direction]
        cells = (f"`{sign}`", f"`{move.instrument}`", _moved(move), _when(move), "; ".join(_why(move)))
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _moved(move: Move) -> str:
    return f"{move.column}, {move.how}: {move.before.verdict} -> {move.after.verdict}"


def _when(move: Move) -> str:
    ways = sorted({use.described() for use in move.uses}, key=lambda text: (len(text), text))
    more = f" | and in {counted(len(ways) - _WAYS, 'more way')}" if len(ways) > _WAYS else ""
    return " | ".join(ways[:_WAYS]) + more


def _said(reason: Reason) -> tuple[object, ...]:
    return reason.policy_id, reason.text, reason.source, reason.mark


def _why(move: Move) -> Iterator[str]:
    """What it rested on and does not now, and the other way round."""
    for word, here, there in (("was", move.before, move.after), ("is", move.after, move.before)):
        for reason in here.reasons:
            if _said(reason) not in {_said(each) for each in there.reasons}:
                place = f" [{reason.policy_id}{'; ' + reason.location if reason.location else ''}; {reason.mark}]"
                yield f"{word}: {reason.text}{place}"
    if move.after.would_change and not move.after.gives:
        yield f"would have to differ: {' '.join(move.after.would_change)}"
