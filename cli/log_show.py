"""`blindrelay log show`: browse the entries."""

from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import click
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.log_names import Identities, Names, root_of
from blindrelay.cli.log_options import LogReader, log_options
from blindrelay.cli.log_views import fields_of, line, record
from blindrelay.cli.output import JSON_OPTION, console, emit
from blindrelay.cli.passphrase import passphrase_option
from blindrelay.cli.places import TenantType, UserType
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.transparency.directory import account_label

ROOT_OPTION = click.option(
    "--root",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --account: the root certificate of its enterprise.  [default: from the home]",
)


@click.command(
    epilog="""\b
Examples:
  blindrelay log show
  blindrelay log show --from=-20                         the last twenty
  blindrelay log show --tenant acme.example --kind revocation
  blindrelay log show --account alice@acme.example       by the root in the home, or --root acme.der
  blindrelay log show --log lawful-access --json | jq .entry

\b
Names stand where the home knows them (an enterprise's CA, tenants/ in it); the log itself has digests alone.
"""
)
@log_options
@click.option("--from", "start", type=int, default=0, metavar="INDEX", help="The first; below 0: from the end.")
@click.option("--to", "end", type=int, metavar="INDEX", help="The last; below 0: from the end.  [default: the newest]")
@click.option("--tenant", type=TenantType(), help="Those about this enterprise alone.")
@click.option("--account", type=UserType(), help="Those about this user alone.")
@click.option("--kind", metavar="KIND", help="Those of this kind alone, such as device or revocation.")
@ROOT_OPTION
@passphrase_option
@JSON_OPTION
def show(
    log: LogReader,
    start: int,
    end: int | None,
    tenant: str | None,
    account: UserAddress | None,
    kind: str | None,
    root: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> None:
    """Print the entries of a log, the oldest first: each has been verified against the signed checkpoint.

    An entry that was changed or taken out after it was signed is named, and ends this.
    """
    wanted: dict[str, str] = {}
    if account is not None:
        enterprise = root_of(account, Identities(log.home, passphrase_file), root)
        wanted = {"tenant": account.tenant, "account": account_label(account, enterprise.public_bytes(Encoding.DER))}
    wanted |= {name: value for name, value in (("tenant", tenant), ("kind", kind)) if value is not None}

    def matches(fields: dict[str, Any]) -> bool:
        return all(fields.get(name) == value for name, value in wanted.items())

    shown, size = interruptible(_show(log, (start, end), matches, as_json=as_json))
    if not as_json:
        click.echo(f"{shown} of {size} entries", err=True)


async def _show(
    log: LogReader, bounds: tuple[int, int | None], matches: Callable[[dict[str, Any]], bool], *, as_json: bool
) -> tuple[int, int]:
    names, output, shown = Names.known_in(log.home), console(), 0
    async with log.open() as public:
        reading = await public.newest()
        first, last = (_from_end(bound, reading.size) for bound in bounds)
        entries = reading.tree.entries(first or 0, None if last is None else last + 1)
        async with aclosing(entries):
            async for index, data in entries:
                if not matches(fields_of(data)):
                    continue
                shown += 1
                if as_json:
                    emit(record(index, data))
                else:
                    output.print(line(index, data, names), soft_wrap=True)
    return shown, reading.size


def _from_end(index: int | None, size: int) -> int | None:
    return index if index is None or index >= 0 else max(size + index, 0)
