"""`blindrelay authority status | open | watch | withdraw`: what became of a request."""

from contextlib import aclosing
from pathlib import Path
from uuid import UUID

import click
from cryptography import x509
from pydantic import ValidationError
from rich import box
from rich.table import Table

from blindrelay.cli.answers import show, span
from blindrelay.cli.authorities import Office, office_options
from blindrelay.cli.bars import bar_of_bytes
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import JSON_OPTION, complain, console, emit, foreign, printable
from blindrelay.clients.authority.package import Package, PackageRejected
from blindrelay.clients.authority.receipt import verify
from blindrelay.clients.errors import NotEnrolled, NotPossible
from blindrelay.policies.exchange import CaseAnswer
from blindrelay.policies.leaves import Receipt
from blindrelay.policies.request import Timespan
from blindrelay.policies.stream import EndReason, Gap, StreamEnd
from blindrelay.protocol.transparency.checkpoint import Checkpoint

_CASE = click.argument("case", type=click.UUID, required=False)
_DEMAND = click.argument("demand", required=False)

_ENDS = {
    EndReason.ORDER_ENDED: "the order has ended",
    EndReason.ENDED_EARLY: "the order ended early: it was withdrawn or objected to",
    EndReason.REPLACED: "somebody else follows this order now: an order has one reader",
    EndReason.STOPPING: "the relay has stopped",
}


@click.command(
    epilog="""\b
Examples:
  blindrelay authority status                 the last case, with its letter
  blindrelay authority status --all           all cases, a line each
"""
)
@_CASE
@click.option("--all", "all_cases", is_flag=True, help="All cases that are known here, without letters.")
@JSON_OPTION
@office_options
def status(office: Office, case: UUID | None, all_cases: bool, as_json: bool) -> None:
    """Ask how CASE stands. Without CASE, the last one that was handed in."""
    cases = [known.case_id for known in office.docket.cases()] if all_cases else [case or office.docket.latest()]
    for answer in interruptible(_ask(office, cases)):
        show(answer, as_json=as_json, letter=not all_cases)


async def _ask(office: Office, cases: list[UUID]) -> list[CaseAnswer]:
    answers = []
    async with office.connect() as desk:
        for case in cases:
            answers.append(await desk.status(case))
            office.docket.keep(answers[-1])
    return answers


@click.command()
@_CASE
@JSON_OPTION
@office_options
def withdraw(office: Office, case: UUID | None, as_json: bool) -> None:
    """Take CASE back. Without CASE, the last one. What has been disclosed stays so; nothing more is."""
    answer = interruptible(_withdraw(office, case or office.docket.latest()))
    show(answer, as_json=as_json)


async def _withdraw(office: Office, case: UUID) -> CaseAnswer:
    async with office.connect() as desk:
        answer = await desk.withdraw(case)
    office.docket.keep(answer)
    return answer


@click.command(
    "open",
    epilog="""\b
Examples:
  blindrelay authority open                         fetch the last case's package, verify it, show what is in it
  blindrelay authority open --out evidence          and write its files: CSV, JSON, manifest, signature
  blindrelay authority open --package d1.package    one that was fetched before

\b
Nothing is shown before seal, signature and every digest have been verified, and the relay's public log has been seen to have
this very package after its request and its decision. The sealed package is kept in the authority's folder with its receipt: the
proof of that, which an auditor wants to see (blindrelay auditor check).
""",
)
@_CASE
@_DEMAND
@click.option(
    "--package",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A sealed package that is here already; no relay is asked.",
)
@click.option(
    "--receipt",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The package's receipt.  [default: the one beside it]",
)
@click.option("--no-receipt", is_flag=True, help="Open it though nothing shows that the public log has it.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Write the files to this folder.")
@click.option(
    "--rows", type=click.IntRange(0), default=20, show_default=True, help="How many records to show of each class."
)
@JSON_OPTION
@office_options
def open_(
    office: Office,
    case: UUID | None,
    demand: str | None,
    package: Path | None,
    receipt: Path | None,
    no_receipt: bool,
    out: Path | None,
    rows: int,
    as_json: bool,
) -> None:
    """Fetch, verify and open what was disclosed for DEMAND of CASE. Without them, the last case's package."""
    identity = office.identity()
    path = package or interruptible(_fetch(office, case or office.docket.latest(), demand))
    relay = identity.relay()
    if relay is None:
        raise NotEnrolled("no relay is known whose signature could be checked: ask for a status first")
    certificate = x509.load_pem_x509_certificate(relay.certificate.encode())
    try:
        with bar_of_bytes("verifying") as told:
            opened = Package.open(path, identity.package_key, certificate, told)
    except PackageRejected as error:
        raise PackageRejected(error.check, f"{error.reason}: {path}") from error
    with opened:
        checkpoint = None if no_receipt else _check_receipt(office, _receipt(office, path, receipt), opened)
        if as_json:
            manifest = opened.manifest.model_dump(mode="json")
            emit({"package": path, "sha256": opened.digest, "log": _log(checkpoint), "manifest": manifest})
        else:
            _describe(opened, path, rows, checkpoint)
        if out is not None:
            with bar_of_bytes("writing") as wrote:
                written = opened.export(out, wrote)
            complain(f"{len(written)} files are in {out}")


async def _fetch(office: Office, case: UUID, demand: str | None) -> Path:
    async with office.connect() as desk:
        answer = await desk.status(case)
        office.docket.keep(answer)
        wanted = demand or _only_package(answer)
        path = office.docket.package(case, wanted)
        if not path.exists():
            with bar_of_bytes("fetching") as told:
                await desk.fetch(case, wanted, path, told)
        if not office.docket.receipt(path).exists():
            office.docket.keep_receipt(path, await desk.receipt(case, wanted))
    return path


def _receipt(office: Office, package: Path, named: Path | None) -> Receipt:
    path = named or office.docket.receipt(package)
    try:
        return Receipt.model_validate_json(path.read_bytes())
    except OSError as error:
        raise NotPossible(
            f"{path} cannot be read ({error.strerror}), and a package that the public log does not account for is not opened: "
            "name its receipt with --receipt, or look at it nonetheless with --no-receipt"
        ) from error
    except ValidationError:
        raise NotPossible(f"{path} is not the receipt of a package: delete it, and fetch it again") from None


def _check_receipt(office: Office, receipt: Receipt, package: Package) -> Checkpoint:
    manifest = package.manifest
    witnessed = verify(
        receipt,
        office.docket.trust(receipt.policy),
        case=manifest.case,
        demand=manifest.demand,
        package=package.digest,
        requests=office.docket.requests(manifest.request),
    )
    return witnessed.checkpoint


def _log(checkpoint: Checkpoint | None) -> dict[str, object] | None:
    return None if checkpoint is None else {"origin": checkpoint.origin, "size": checkpoint.size}


def _only_package(answer: CaseAnswer) -> str:
    ready = [demand.demand_id for demand in answer.demands if demand.package_is_ready]
    if len(ready) == 1:
        return ready[0]
    if ready:
        raise NotPossible(f"there are several packages: name one of {', '.join(ready)}")
    stand = "; ".join(f"{demand.demand_id}: {demand.status.value}" for demand in answer.demands)
    raise NotPossible(
        f"nothing has been released in case {answer.case_id} ({stand}): see `blindrelay authority status`"
    )


def _describe(package: Package, path: Path, rows: int, checkpoint: Checkpoint | None) -> None:
    out, manifest = console(), package.manifest
    out.print(foreign(f"case {manifest.case}, demand {manifest.demand}, under {manifest.instrument}", "bold"))
    click.echo(printable(f"{path}\nsha256 {package.digest}\nseal, signature and digests hold"))
    if checkpoint is None:
        complain("nothing shows that this disclosure is in the public log")
    else:
        click.echo(
            f"in the public log {checkpoint.origin} ({checkpoint.size} entries), after its request and its decision"
        )
    for entry in manifest.classes:
        out.print(
            foreign(
                f"\n{entry.data_class.value}: {entry.records} records, {span(Timespan(start=entry.since, end=entry.until))}"
            )
        )
        lines = package.rows(entry.data_class, rows)
        table = Table(box=box.SIMPLE)
        for heading in next(lines, ()):
            table.add_column(heading, overflow="fold")
        for line in lines:
            table.add_row(*(foreign(cell) for cell in line))
        if table.row_count:
            out.print(table)
        if entry.records > rows:
            out.print(foreign(f"... and {entry.records - rows} more: write them out with --out FOLDER", "dim"))


@click.command(
    epilog="""\b
Example:
  blindrelay authority watch --json > records.ndjson
"""
)
@_CASE
@_DEMAND
@click.option("--count", type=click.IntRange(1), help="Stop after so many records.")
@click.option("--after", help="Go on behind this position (the last one of an earlier run).")
@JSON_OPTION
@office_options
def watch(
    office: Office, case: UUID | None, demand: str | None, count: int | None, after: str | None, as_json: bool
) -> None:
    """Print the records of a real-time order as they happen, until it ends. Without CASE, the last one's.

    A connection that breaks is taken up again where it broke.
    """
    interruptible(_watch(office, case or office.docket.latest(), demand, count, after, as_json))


async def _watch(
    office: Office, case: UUID, demand: str | None, count: int | None, after: str | None, as_json: bool
) -> None:
    async with office.connect() as desk:
        wanted = demand or _only_stream(await desk.status(case))
        async with aclosing(desk.follow(case, wanted, after)) as events:
            seen = 0
            async for event in events:
                record = event.record
                if as_json:
                    emit({"position": event.position, **record.model_dump(mode="json")})
                elif isinstance(record, StreamEnd):
                    click.echo(_ENDS[record.reason])
                elif isinstance(record, Gap):
                    complain(f"{record.data_class} records may be missing here: {record.reason}")
                else:
                    console().print(foreign(record.model_dump_json()))
                seen += not isinstance(record, Gap | StreamEnd)
                if seen == count:
                    return


def _only_stream(answer: CaseAnswer) -> str:
    running = [demand.demand_id for demand in answer.demands if demand.stream is not None]
    if len(running) != 1:
        raise NotPossible(
            f"case {answer.case_id} has {'several real-time orders: name one' if running else 'no real-time order'}"
        )
    return running[0]
