"""`blindrelay up`: a relay in the foreground."""

import contextlib
import socket
import ssl
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from blindrelay import __version__
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.nodes import NodeOptions, node_options
from blindrelay.cli.output import JSON_OPTION, complain, console, emit
from blindrelay.cli.own_console import own_console
from blindrelay.cli.own_witness import FOLDER as WITNESS
from blindrelay.cli.own_witness import OwnWitness
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.cli.stores import address_of, store_options
from blindrelay.policies import leaves
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency import directory
from blindrelay.relay import config, logs, process
from blindrelay.relay.server import Relay
from blindrelay.relay.transparency.assembly import FOLDER as LOGS

_BANNER = """\
[bold]Blindrelay {version}[/bold] is up. It cannot read what it carries.

  address              [bold]mqtts://{address}[/bold]   (MQTT 5 over mutual TLS 1.3)
  lawful desk          {desk}
  public logs          https://{host}:{logs_port}/logs/
  operations           {operations}   (blindrelay status; /metrics, /healthz, /readyz)
  witness              {witness}
  data directory       {folder}
  store                {store}
  node                 {node}
  relay's certificate  {certificate}
  registration code    {code}

To found an enterprise and enrol its first device, in another terminal:

  blindrelay tenant create acme.example
  blindrelay tenant register acme.example{options}
  blindrelay tenant enrol acme.example alice laptop

Whoever has the registration code may register enterprises. Everything acknowledged is on disk.
Ctrl-C or SIGTERM stops the relay.
"""
_CHECK_TIMEOUT = 3.0
# A relay that listens on every address is met on this machine's own.
_LOCAL = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is the operator's choice, not ours


@click.command(
    epilog="""\b
Examples:
  blindrelay up
  blindrelay up --port 0 --data-dir /tmp/try      any free port, somewhere else
  blindrelay up --config relay.toml               limits, retention, address from a file
  blindrelay up --store postgresql://relay@db.example/blindrelay?sslmode=verify-full
  blindrelay up --node n1 --identity-dir identity --store postgresql://... --cluster nats://a,nats://b,nats://c
                                                  one of several nodes: docs/how-to/run-a-cluster.md
  blindrelay up --check                           exit code 0 if a relay runs and answers

\b
The data directory is made on the first start, for its owner alone (0700, files 0600):
  relay.key, relay.crt   the relay's own TLS key and certificate, good for localhost
  relay.db               accounts, waiting envelopes, metadata (`blindrelay inventory`)
  registration-code      whoever has it may register enterprises
  desk.sqlite            the lawful desk's cases and register; desk.key signs what leaves
  logs/, log-keys/       the public logs, and what they are signed with
  endpoint.json          where the relay listens; there while it runs, for clients of this machine
  blindrelay.toml        configuration, if you write one
No key of an enterprise or device is ever in it.

\b
A witness (witness/ in the home; in the data directory, if that is elsewhere) cosigns the logs in a process of its own. Clients
require its cosignature from then on. It is run by whoever runs the relay, and so it shows how it is done, and no more: name
those of others in the configuration, [logs] witnesses, and it is not started.
"""
)
@home_option
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="Port to listen on; 0 takes a free one.  [default: 8883]")
@click.option(
    "--operations-port",
    type=click.IntRange(0, 65_535),
    help="Port for health, metrics and status; 0 takes a free one.  [default: the third after the relay's]",
)
@click.option("--operations-host", help="Address for the same.  [default: 127.0.0.1]")
@store_options
@click.option(
    "--traces",
    metavar="URL",
    help="Send OpenTelemetry traces there: an OTLP collector, or file:///path. Needs blindrelay[traces].  [default: none]",
)
@node_options
@click.option("--no-desk", is_flag=True, help="No lawful desk: no authority is answered.")
@click.option(
    "--no-witness",
    is_flag=True,
    help="No witness of its own: public logs are published without a cosignature, unless the configuration names witnesses.",
)
@click.option(
    "--console/--no-console",
    "with_console",
    default=None,
    help="A console beside it, a page for this machine's browser: see `blindrelay console`.  [default: at a terminal]",
)
@click.option(
    "--drain-seconds",
    type=click.FloatRange(1, 3_600),
    help="How long a stop may take, from the signal to the end of the process.  [default: 8]",
)
@click.option(
    "--elsewhere",
    multiple=True,
    metavar="HOST:PORT",
    help="Where clients are to go on when this relay stops: another node, or the balancer. May be given several times.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="BLINDRELAY_DATA_DIR",
    help="The data directory.  [default: relay/ in the home]",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file.  [default: blindrelay.toml in the data directory, if there is one]",
)
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info", show_default=True
)
@click.option(
    "--check", is_flag=True, help="Do not start: see whether a relay runs on the data directory, and answers."
)
@JSON_OPTION
def up(
    home: Path,
    host: str | None,
    port: int | None,
    operations_port: int | None,
    operations_host: str | None,
    store: str | None,
    store_file: Path | None,
    traces: str | None,
    no_desk: bool,
    no_witness: bool,
    with_console: bool | None,
    drain_seconds: float | None,
    elsewhere: tuple[str, ...],
    data_dir: Path | None,
    config_file: Path | None,
    log_level: str,
    check: bool,
    as_json: bool,
    **node: Any,
) -> int:
    """Run a relay in the foreground, until Ctrl-C or SIGTERM.

    It stops by finishing what it has begun, and tells its clients where to go on; everything that was acknowledged to a sender
    is on stable storage before.
    """
    folder = data_dir or (None if config_file else relay_directory(home))
    given = _given(
        host=host,
        port=port,
        store=address_of(store, store_file),
        drain_seconds=drain_seconds,
        elsewhere=list(elsewhere) or None,
        cluster=NodeOptions(**node).settings(),
    )
    operations = _given(http_port=operations_port, host=operations_host, traces=traces)
    settings = config.load(folder, config_file, **given, operations=operations)
    if no_desk:
        settings = settings.model_copy(update={"desk": settings.desk.model_copy(update={"enabled": False})})
    if check:
        return _check(settings.data_dir)
    logs.configure(level=log_level, as_json=not sys.stderr.isatty())
    endpoint = settings.data_dir / FILE_NAME

    is_default = settings.data_dir == relay_directory(home)
    own = None
    # A witness of each node's own would be another one after each change of who publishes.
    if not no_witness and not settings.logs.witnesses and settings.cluster is None:
        own = OwnWitness((home if is_default else settings.data_dir) / WITNESS)
    ours = contextlib.ExitStack()

    def ready(relay: Relay) -> None:
        # Not before: until we hold the directory's lock, the file may be that of another relay.
        ours.callback(endpoint.unlink, missing_ok=True)
        Endpoint(
            host=_LOCAL.get(relay.host, relay.host),
            port=relay.port,
            ca_certificate=_below(endpoint.parent, relay.certificate),
            registration_code=_below(endpoint.parent, relay.identity / "registration-code"),
            desk_port=relay.desk_port,
            logs_port=relay.logs_port,
            operations=_operations_url(relay),
            directory_policy=f"{LOGS}/{directory.NAME}.policy",
            lawful_access_policy=f"{LOGS}/{leaves.NAME}.policy" if relay.desk_port else None,
        ).write(endpoint)
        _announce(relay, own, as_json=as_json, is_default=is_default)
        if sys.stdout.isatty() if with_console is None else with_console:
            ours.enter_context(own_console(settings.data_dir, as_json=as_json))

    with ours:
        process.run(settings, ready, attend=None if own is None else own.attend)
    if not as_json:
        click.echo("stopped; everything acknowledged is on disk")
    return ExitCode.OK


def _given(**options: object) -> dict[str, object]:
    """The options that were."""
    return {key: value for key, value in options.items() if value is not None}


def _below(folder: Path, path: Path) -> str:
    """A path as an endpoint file in `folder` has it: nodes of a cluster have their identity elsewhere."""
    path, folder = path.absolute(), folder.absolute()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _announce(relay: Relay, own: OwnWitness | None, *, as_json: bool, is_default: bool) -> None:
    folder = relay.settings.data_dir.absolute()
    if as_json:
        emit(
            {
                "address": f"mqtts://{relay.address}",
                "host": relay.host,
                "port": relay.port,
                "desk_port": relay.desk_port,
                "logs_port": relay.logs_port,
                "operations": _operations_url(relay),
                "witness": None if own is None else asdict(own),
                "data_directory": folder,
                "store": relay.store.name,
                "node": None if relay.settings.cluster is None else relay.settings.cluster.node,
                "certificate": relay.certificate.absolute(),
                "registration_code": relay.registration_code,
            }
        )
        return
    options = "" if is_default else f" --relay {folder / FILE_NAME}"
    if relay.host in _LOCAL:
        # Perhaps in a container: its files are not where its clients are.
        options = f" --relay mqtts://127.0.0.1:{relay.port} --ca relay.crt --code {relay.registration_code}"
    banner = _BANNER.format(
        version=__version__,
        address=escape(relay.address),
        host=escape(relay.host),
        logs_port=relay.logs_port,
        operations=escape(_operations_url(relay) or "none"),
        witness=_witness(relay, own),
        desk=f"https://{escape(relay.host)}:{relay.desk_port}" if relay.desk_port else "none",
        folder=escape(str(folder)),
        store=escape(relay.store.name),
        node=_node(relay),
        certificate=escape(str(relay.certificate.absolute())),
        code=escape(relay.registration_code),
        options=escape(options),
    )
    console().print(banner)
    sys.stdout.flush()


def _operations_url(relay: Relay) -> str | None:
    if relay.operations_port is None:
        return None
    host = _LOCAL.get(relay.settings.operations.host, relay.settings.operations.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{relay.operations_port}"


def _witness(relay: Relay, own: OwnWitness | None) -> str:
    if own is not None:
        return (
            f"{escape(own.url)}   (its own, process {own.process_id}; in earnest somebody else's: blindrelay witness)"
        )
    return f"{len(relay.settings.logs.witnesses) or 'none'}, by the configuration"


def _node(relay: Relay) -> str:
    cluster = relay.settings.cluster
    if cluster is None:
        return "the only one"
    how = f"woken by {', '.join(cluster.servers)}" if cluster.servers else "no NATS: it looks for mail once a second"
    return escape(f"{cluster.node}, one of several   ({how})")


def _check(folder: Path) -> int:
    try:
        endpoint = Endpoint.read(folder / FILE_NAME)
        context = ssl.create_default_context(cafile=str(folder / endpoint.ca_certificate))
        address = (endpoint.host, endpoint.port)
        with (
            socket.create_connection(address, timeout=_CHECK_TIMEOUT) as plain,
            context.wrap_socket(plain, server_hostname=endpoint.host) as secure,
        ):
            click.echo(f"a relay answers at {endpoint.host}:{endpoint.port} ({secure.version()})")
    except (OSError, Malformed) as error:
        complain(f"no relay answers for {folder}: {error}")
        return ExitCode.RELAY_UNREACHABLE
    return ExitCode.OK
