"""`blindrelay policy`: what packs say, before anybody is decided about by them."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from blindrelay.cli import policy_views as views
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.moments import words
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.policies.cells import Column
from blindrelay.policies.diff import concerned, moves
from blindrelay.policies.explain import explain as explained
from blindrelay.policies.findings import Finding, PacksRejected
from blindrelay.policies.hypothesis import DATA_MODES, Circumstances
from blindrelay.policies.lint import read_and_check
from blindrelay.policies.matrix import row, uses
from blindrelay.policies.packs import Policies
from blindrelay.policies.vocabulary import AuthorityKind, Purpose, Scope, Urgency
from blindrelay.protocol.address import check_jurisdiction, check_tenant
from blindrelay.protocol.errors import Malformed

_FORMATS: Final = ("terminal", "markdown", "json")
_Item = TypeVar("_Item")

_FORMAT = click.option("--format", "form", type=click.Choice(_FORMATS), default="terminal", show_default=True)
_POLICIES = click.option(
    "--policies",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A pack, or a folder of packs, in place of those that come along. May be repeated.",
)


class _Rejected(click.ClickException):
    """Packs do not load. Every finding is shown, each with its place."""

    exit_code = ExitCode.MALFORMED

    def __init__(self, error: PacksRejected, paths: tuple[Path, ...]) -> None:
        super().__init__("these policies do not load, and nothing is decided by half of them:")
        self._findings, self._paths = [each for each in error.findings if each.is_error], paths

    def show(self, file: Any = None) -> None:
        click.echo(f"blindrelay: {self.message}", err=True)
        for finding in self._findings:
            click.echo(views.finding(finding, _place(finding, self._paths)), err=True)


@click.group(cls=OrderedGroup)
def policy() -> None:
    """Write policy: check packs, and see what they come to.

    A pack is a folder: manifest.yaml says what the law of a jurisdiction reaches, and *.cedar what may be disclosed of it. How
    to write one is in docs/how-to/write-a-jurisdiction-pack.md. Whatever a pack says: content, keys, everybody's data and
    capabilities are refused. Nothing here is legal advice.
    """


@policy.command(
    epilog="""\b
Examples:
  blindrelay policy lint                  the packs that come along
  blindrelay policy lint packs/           a folder of packs, or a single one
  blindrelay policy lint packs/ --json    a finding on each line
"""
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@JSON_OPTION
def lint(*, paths: tuple[Path, ...], as_json: bool) -> int:
    """Check packs: manifests, Cedar, and the one against the other.

    Each finding has file, line and column, and what to do. A policy that would disclose content or keys, or everybody's data,
    or have something built, is an error. The exit code is 0 without errors, whatever the warnings, and 13 with one: such packs
    are not loaded, by a relay or by anything else.
    """
    try:
        drafts = read_and_check(paths or None)
        names = [draft.name for draft in drafts]
        findings = sorted(finding for draft in drafts for finding in draft.findings)
        policies = sum(len(draft.drafts) for draft in drafts)
    except PacksRejected as error:
        names, findings, policies = [], list(error.findings), 0
    for each in findings:
        where = _place(each, paths)
        if as_json:
            emit(views.finding_record(each, where))
        else:
            click.echo(views.finding(each, where))
    errors = sum(each.is_error for each in findings)
    if not as_json:
        of = f"{', '.join(names)}: {policies} policies, " if names else ""
        click.echo(f"{of}{views.counted(errors, 'error')}, {views.counted(len(findings) - errors, 'warning')}")
    return ExitCode.MALFORMED if errors else ExitCode.OK


@policy.command(
    epilog="""\b
Examples:
  blindrelay policy explain --instrument us/d-order --authority-kind judge --tenant globex.example
  blindrelay policy explain --instrument us/d-order --authority-kind police --issued-by judge \\
    --tenant globex.example --class TRAFFIC --class CONTENT --mode stored
  blindrelay policy explain --instrument eu/epoc-traffic --authority-kind judge --jurisdiction de \\
    --tenant globex.example --tenant-jurisdiction fr --offence-years 5 --json
"""
)
@click.option("--instrument", required=True, metavar="ID", help="As a manifest names it: us/d-order.")
@click.option("--authority-kind", required=True, type=words(AuthorityKind), help="What the authority is.")
@click.option("--issued-by", type=words(AuthorityKind), help="Who issued it.  [default: the authority itself]")
@click.option("--jurisdiction", metavar="CC", help="The authority's.  [default: the instrument's]")
@click.option("--tenant", required=True, metavar="DOMAIN", help="The enterprise whose people are asked about.")
@click.option("--tenant-jurisdiction", metavar="CC", multiple=True, help="May be repeated.  [default: the authority's]")
@click.option("--class", "columns", multiple=True, type=words(Column), help="Only this. May be repeated.")
@click.option("--mode", "modes", multiple=True, type=words(DATA_MODES), help="Only so. May be repeated.")
@click.option("--scope", type=words(Scope), default=Scope.ACCOUNTS.value, show_default=True, help="About whom.")
@click.option("--emergency", is_flag=True, help="An emergency, with its grounds stated.")
@click.option("--purpose", type=words(Purpose), default=Purpose.INVESTIGATE.value, show_default=True)
@click.option("--offence-years", type=click.IntRange(0, 100), help="The highest penalty for the offence, if stated.")
@click.option("--mutual-assistance", is_flag=True, help="The requested state's own order is named.")
@click.option("--harm-stated", is_flag=True, help="It is stated that asking the enterprise first would do harm.")
@click.option("--users", type=click.IntRange(0), default=0, help="Of the service in that jurisdiction, for thresholds.")
@_POLICIES
@JSON_OPTION
def explain(
    *,
    instrument: str,
    authority_kind: str,
    issued_by: str | None,
    jurisdiction: str | None,
    tenant: str,
    tenant_jurisdiction: tuple[str, ...],
    columns: tuple[str, ...],
    modes: tuple[str, ...],
    scope: str,
    emergency: bool,
    purpose: str,
    offence_years: int | None,
    mutual_assistance: bool,
    harm_stated: bool,
    users: int,
    policies: tuple[Path, ...],
    as_json: bool,
) -> None:
    """What could THIS authority get with THIS instrument about THIS tenant, and why?

    For each data class and mode: the outcome, the policies that determine it with file and line, what they rest on and how
    sure that is (C confirmed, S from a secondary source, U unconfirmed), what the law says beside it, and what would have to
    differ. The relay's own engine answers. It is taken that the authority is registered and has been called back, that
    another state's authority has been notified where it must be, that records are held, and that the instrument is in force.
    """
    loaded = _load(policies)
    _known(loaded, instrument)
    home = _jurisdiction(jurisdiction or instrument.partition("/")[0])
    circumstances = Circumstances(
        instrument=instrument,
        issuer=AuthorityKind(issued_by or authority_kind),
        asker=AuthorityKind(authority_kind),
        tenant=_tenant(tenant),
        tenant_jurisdictions=frozenset(_jurisdiction(each) for each in tenant_jurisdiction or (home,)),
        authority_jurisdiction=home,
        scope=Scope(scope),
        urgency=Urgency.EMERGENCY if emergency else Urgency.ROUTINE,
        purpose=Purpose(purpose),
        offence_max_years=offence_years,
        emergency_grounds=emergency,
        mutual_assistance=mutual_assistance,
        harm_stated=harm_stated,
        users=users,
    )
    found = explained(loaded, circumstances, [Column(each) for each in columns], modes)
    if as_json:
        for record in found.records():
            emit(record)
    else:
        views.show_explanation(found)


@policy.command(
    epilog="""\b
Examples:
  blindrelay policy matrix                                  everything
  blindrelay policy matrix us eu
  blindrelay policy matrix --policies packs/ --format markdown > matrix.md
  blindrelay policy matrix --format json | jq 'select(.mark == "U")'
"""
)
@click.argument("jurisdictions", nargs=-1, metavar="[JURISDICTION]...")
@_FORMAT
@_POLICIES
def matrix(*, jurisdictions: tuple[str, ...], form: str, policies: tuple[Path, ...]) -> None:
    """Print jurisdiction x instrument x what can be asked for: what comes of it at best.

    At best: of everything that an issuer could state, what gives most. What is refused here, nobody gets.
    """
    loaded = _load(policies)
    for name in jurisdictions:
        if name not in loaded.packs:
            raise click.UsageError(f"there is no pack {name}; there are {', '.join(sorted(loaded.packs))}")
    rows = [row(loaded, *use) for use in _watched(uses(loaded, jurisdictions), "instruments")]
    if form == "json":
        for record in (record for each in rows for record in each.records()):
            emit(record)
    elif form == "markdown":
        click.echo(views.matrix_in_markdown(loaded, rows), nl=False)
    else:
        views.show_matrix(loaded, rows)


@policy.command(
    epilog="""\b
Examples:
  blindrelay policy diff packs.before/ packs/
  git archive main packs | tar -x -C /tmp/main && blindrelay policy diff /tmp/main/packs packs --format markdown
"""
)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@_FORMAT
def diff(*, old: Path, new: Path, form: str) -> None:
    """Say which cells move between two packs, or two folders of packs: from what to what, and why.

    Packs are compared by the name of their folder. Both sides are asked the same: every use of every instrument, in all ways
    that the policies of either side could tell apart, so that another threshold shows where it makes a difference. Terms
    that move no cell (days, deadlines) do not show. The exit code is 0 whether or not a cell moves: whether it may is for
    whoever reads it to say.
    """
    before, after = _load((old,)), _load((new,))
    found = [move for each in _watched(concerned(before, after), "instruments") for move in moves(before, after, each)]
    if form == "json":
        for move in found:
            emit(move.record())
    elif form == "markdown":
        click.echo(views.diff_in_markdown(found), nl=False)
    else:
        views.show_diff(found, same=before.digest == after.digest)


def _load(paths: tuple[Path, ...]) -> Policies:
    try:
        return Policies.load(paths or None)
    except PacksRejected as error:
        raise _Rejected(error, paths) from error


def _known(policies: Policies, instrument_id: str) -> None:
    pack = policies.pack_of(instrument_id)
    if pack is None:
        packs = ", ".join(sorted(policies.packs))
        raise click.UsageError(f"no pack has {instrument_id}: an instrument is named PACK/NAME, and there are {packs}")
    if pack.manifest.instrument(instrument_id) is None:
        known = ", ".join(each.id for each in pack.manifest.instruments)
        raise click.UsageError(f"there is no instrument {instrument_id}; there are {known}")


def _jurisdiction(value: str) -> str:
    try:
        return check_jurisdiction(value)
    except Malformed as error:
        raise click.UsageError(str(error)) from error


def _tenant(value: str) -> str:
    try:
        return check_tenant(value)
    except Malformed as error:
        raise click.UsageError(str(error)) from error


def _place(finding: Finding, paths: Iterable[Path]) -> str:
    """`file:line:column`, with the file as it can be opened from here rather than as a decision shows it."""
    file = finding.file
    for folder in (folder for path in paths for folder in (path, *path.glob("*/"))):
        if file.startswith(shown := f"packs/{folder.resolve().name}/"):
            file = os.fspath(folder / file.removeprefix(shown))
    return f"{file}:{finding.line}:{finding.column}"


def _watched(items: Iterable[_Item], what: str) -> Iterator[_Item]:
    """The items, with a progress bar where somebody sees it."""
    everything, terminal = tuple(items), Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=terminal, disable=not terminal.is_terminal, transient=True) as progress:
        yield from progress.track(everything, description=what)
