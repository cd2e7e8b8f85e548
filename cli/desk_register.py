"""`blindrelay desk register`, `authorities`, `strike`, `protect` and `operator`: whom the desk knows.

These work on the relay's data directory itself, whether the relay runs or not: whoever may write there is its administrator.
"""

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509
from pydantic import ValidationError
from rich import box
from rich.table import Table

from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, console, emit, foreign
from blindrelay.cli.places import UserType, home_option, relay_directory
from blindrelay.policies.exchange import AuthorityCard
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.desk.journal import Journal
from blindrelay.relay.desk.operators import Operators
from blindrelay.relay.desk.register import Authority, Register

Command = TypeVar("Command", bound=Callable[..., Any])
_MAX_CARD = 65_536


def _folder_options(command: Command) -> Command:
    return click.option(
        "--data-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The relay's data directory.  [default: relay/ in the home]",
    )(home_option(command))


@contextmanager
def _journal(home: Path, data_dir: Path | None) -> Iterator[Journal]:
    folder = data_dir or relay_directory(home)
    if not (folder / "relay.key").exists():
        raise click.UsageError(f"{folder} is no relay's data directory: start the relay once (`blindrelay up`)")
    journal = Journal.open(folder)
    try:
        yield journal
    finally:
        journal.close()


def _now() -> datetime:
    return datetime.fromtimestamp(SystemClock().now(), UTC)


@click.command(
    epilog="""\b
Examples:
  blindrelay desk register court.json --jurisdiction us --kind judge
  blindrelay desk register court.json --jurisdiction us --kind judge --call-back "+1 202 555 0100" --yes
"""
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--jurisdiction", required=True, metavar="CC", help="Whose authority it is, as you have found out.")
@click.option(
    "--kind",
    required=True,
    type=click.Choice([kind.value for kind in AuthorityKind]),
    help="What it is, as you have found out: it decides what it may order.",
)
@click.option("--call-back", metavar="NUMBER", help="A number that you have from elsewhere, never from its file.")
@click.option("--yes", is_flag=True, help="The fingerprint has been compared: do not ask.")
@_folder_options
@JSON_OPTION
def register(
    file: Path,
    jurisdiction: str,
    kind: str,
    call_back: str | None,
    yes: bool,
    home: Path,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Enter the authority of FILE, which it made with `blindrelay authority init`.

    The file proves nothing: it says what somebody says of themselves. Find out elsewhere who they are, compare the
    fingerprint of their certificate on a line that you trust, and state jurisdiction and kind yourself. An authority that is
    entered again has the new officers, keys and number from then on.
    """
    card = _card(file)
    with _journal(home, data_dir) as journal:
        known = Register(journal)
        before = known.authority(card.id)
        if not yes:
            _show_card(card, before)
            click.confirm("Does somebody whom you trust read out the same fingerprint?", abort=True)
        entered = known.enter(
            card,
            jurisdiction=jurisdiction,
            kind=AuthorityKind(kind),
            entered_by=getpass.getuser(),
            at=_now(),
            call_back=call_back,
        )
    if as_json:
        emit(_described(entered))
    else:
        click.echo(f"{entered.id} is registered: {entered.kind} of {entered.jurisdiction}, {entered.name}")
        if entered.call_back is None:
            click.echo(f"no emergency of {card.id} can be confirmed: enter a number to call back on with --call-back")


def _card(file: Path) -> AuthorityCard:
    try:
        with file.open("rb") as opened:
            return AuthorityCard.model_validate_json(opened.read(_MAX_CARD))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise Malformed(f"{file} is no authority's file: {place}: {first['msg']}") from error


def _show_card(card: AuthorityCard, before: Authority | None) -> None:
    output = console()
    output.print(foreign(f"{card.id}: {card.name}, {card.kind} of {card.jurisdiction}, by its own account", "bold"))
    output.print(foreign(f"officers     {', '.join(card.officers)}"))
    output.print(foreign(f"certificate  {_grouped(card.root_certificate)}"))
    if before is not None:
        same = "the same" if before.root_pem.strip() == card.root_certificate.strip() else "ANOTHER ONE"
        output.print(foreign(f"It is registered already; the certificate is {same}."))


def _grouped(pem: str) -> str:
    try:
        text = fingerprint(x509.load_pem_x509_certificate(pem.encode())).hex()
    except ValueError:
        return "is none"
    return " ".join(text[start : start + 8] for start in range(0, len(text), 8))


def _described(authority: Authority) -> dict[str, object]:
    return {
        "id": authority.id,
        "name": authority.name,
        "jurisdiction": authority.jurisdiction,
        "kind": authority.kind.value,
        "officers": sorted(authority.officers),
        "call_back": authority.call_back,
        "root_sha256": sha256(authority.root_der).hexdigest(),
    }


@click.command()
@_folder_options
@JSON_OPTION
def authorities(home: Path, data_dir: Path | None, as_json: bool) -> None:
    """List the authorities that are registered."""
    with _journal(home, data_dir) as journal:
        found = Register(journal).authorities()
    if as_json:
        for authority in found:
            emit(_described(authority))
        return
    if not found:
        click.echo("no authority is registered, and so none is answered: blindrelay desk register --help")
        return
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("authority", "name", "kind", "of", "officers", "call back on"):
        table.add_column(heading, overflow="fold")
    for authority in found:
        table.add_row(
            *(foreign(authority.id), foreign(authority.name), authority.kind.value, authority.jurisdiction),
            foreign(", ".join(sorted(authority.officers))),
            authority.call_back or "-",
        )
    console().print(table)


@click.command()
@click.argument("authority")
@_folder_options
def strike(authority: str, home: Path, data_dir: Path | None) -> None:
    """Take AUTHORITY out of the register: it is not answered any more. Its cases stay on file."""
    with _journal(home, data_dir) as journal:
        Register(journal).strike(authority, entered_by=getpass.getuser(), at=_now())
    click.echo(f"{authority} is not registered any more")


@click.command()
@click.argument("user", type=UserType())
@_folder_options
def protect(user: UserAddress, home: Path, data_dir: Path | None) -> None:
    """Mark USER as somebody whose records are looked at twice: a journalist, a lawyer, a minor."""
    with _journal(home, data_dir) as journal:
        Register(journal).protect(user, entered_by=getpass.getuser(), at=_now())
    click.echo(f"{user} is marked; requests about them show it")


@click.group(cls=OrderedGroup)
def operator() -> None:
    """Say who works at the desk: named persons, each with a token of their own."""


@operator.command(
    epilog="""\b
Example:
  blindrelay desk operator add ada --token-file ada.token
"""
)
@click.argument("name")
@click.option(
    "--token-file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the token (mode 0600); give the file to the person.",
)
@_folder_options
def add(name: str, token_file: Path, home: Path, data_dir: Path | None) -> None:
    """Take NAME on. One person, one name: two approvals by one person under two names would be none."""
    try:
        descriptor = os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.UsageError(f"{token_file} is there already: name another file") from None
    try:
        with open(descriptor, "w", encoding="ascii") as file, _journal(home, data_dir) as journal:  # noqa: PTH123
            file.write(Operators(journal).add(name, at=_now()) + "\n")
    except BaseException:
        token_file.unlink(missing_ok=True)
        raise
    click.echo(f"{name} works at the desk; the token is in {token_file}")


@operator.command(name="list")
@_folder_options
@JSON_OPTION
def list_(home: Path, data_dir: Path | None, as_json: bool) -> None:
    """List who works at the desk."""
    with _journal(home, data_dir) as journal:
        names = Operators(journal).names()
    for name in names:
        emit({"name": name}) if as_json else click.echo(name)
    if not names and not as_json:
        click.echo("nobody works at the desk, and so nothing can be approved: blindrelay desk operator add --help")


@operator.command(name="strike")
@click.argument("name")
@_folder_options
def strike_operator(name: str, home: Path, data_dir: Path | None) -> None:
    """NAME leaves: the token is worth nothing from now on. What NAME has done stays on file."""
    with _journal(home, data_dir) as journal:
        Operators(journal).strike(name, at=_now())
    click.echo(f"{name} does not work at the desk any more")
