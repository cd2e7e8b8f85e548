"""Which relay a command means, and remembering it.

In this order: `--relay`, `BLINDRELAY_URL`, the one that the tenant or device was told to use the last time that `--relay` was
given, and the one that runs on this machine.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from blindrelay.cli.places import HOME
from blindrelay.clients.errors import NotEnrolled
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint

Command = TypeVar("Command", bound=Callable[..., Any])
_CERTIFICATE = "relay.crt"


def relay_options(command: Command) -> Command:
    """Add `--relay` and `--ca`."""
    command = click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="With mqtts://: the certificate to know the relay by (its relay.crt).",
    )(command)
    return click.option(
        "--relay",
        metavar="WHERE",
        help="mqtts://host:port (with --ca), or the data directory or endpoint.json of a relay on this machine. "
        "It is remembered.  [default: BLINDRELAY_URL, the last one, the one on this machine]",
    )(command)


def choose(relay: str | None, ca: Path | None, folder: Path, home: Path) -> RelayAddress:
    """The relay for what is in `folder`.

    Raises:
        click.UsageError: the options do not go together.
        NotEnrolled: there is none.
        Malformed: an address or file is none.
    """
    if relay is not None:
        return RelayAddress.from_url(relay, _ca_of(ca)) if "://" in relay else RelayAddress.from_file(_file(relay))
    if ca is not None:
        raise click.UsageError("--ca goes with --relay mqtts://host:port")
    remembered = folder / FILE_NAME
    if "BLINDRELAY_URL" not in os.environ and os.path.lexists(remembered):
        return RelayAddress.from_file(remembered.resolve())
    return RelayAddress.find({**os.environ, HOME: str(home)})


def remember(relay: str | None, ca: Path | None, folder: Path) -> None:
    """Keep a relay that was named on the command line, for the next commands about what is in `folder`."""
    if relay is None:
        return
    place = folder / FILE_NAME
    place.unlink(missing_ok=True)
    if "://" not in relay:
        place.symlink_to(_file(relay).absolute())  # where it listens may change from start to start
        return
    address = RelayAddress.from_url(relay, _ca_of(ca))
    (folder / _CERTIFICATE).write_bytes(address.ca)
    Endpoint(host=address.host, port=address.port, ca_certificate=_CERTIFICATE).write(place)


def hand_on(source: Path, target: Path) -> None:
    """What `source` remembers, `target` remembers, too: a device that is enrolled uses its enterprise's relay."""
    place = source / FILE_NAME
    if place.is_symlink():
        (target / FILE_NAME).symlink_to(place.readlink())
    elif place.exists():
        (target / FILE_NAME).write_bytes(place.read_bytes())
        (target / _CERTIFICATE).write_bytes((source / _CERTIFICATE).read_bytes())


def _ca_of(ca: Path | None) -> Path:
    if ca is None:
        raise click.UsageError("--relay mqtts://host:port needs --ca FILE, the certificate to know the relay by")
    return ca


def _file(relay: str) -> Path:
    path = Path(relay)
    file = path / FILE_NAME if path.is_dir() else path
    if not file.exists():
        raise NotEnrolled(f"there is no {file}: a relay leaves it there while it runs (`blindrelay up`)")
    return file
