"""`blindrelay node`: relay nodes that are one relay."""

from pathlib import Path

import click

from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.cluster import identity


@click.group(cls=OrderedGroup)
def node() -> None:
    """Several relay nodes that are one relay, over one PostgreSQL database and a NATS cluster.

    See docs/how-to/run-a-cluster.md.
    """


@node.command(
    epilog="""\b
Examples:
  blindrelay node init /etc/blindrelay/identity --host relay.example --origin relay.example/2026
  blindrelay up --identity-dir /etc/blindrelay/identity --node n1 --store postgresql://... --cluster nats://...

\b
It holds private keys: hand it to the nodes as a secret, read-only, and keep a copy where the machine's loss does not reach.
""",
)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--host", "hosts", multiple=True, help="A name or address that clients connect to; as many as there are.")
@click.option("--origin", help="The first part of the public logs' names, for ever.  [default: made up]")
@JSON_OPTION
def init(folder: Path, hosts: tuple[str, ...], origin: str | None, as_json: bool) -> None:
    """Make the identity that all nodes of a relay share, in FOLDER. What is there already stays."""
    made = identity.create(folder, SystemClock(), hosts=hosts, origin=origin)
    if as_json:
        emit({"folder": folder.absolute(), "made": made})
    elif made:
        click.echo(f"{folder}: {', '.join(made)}")
    else:
        click.echo(f"{folder} has everything already")
