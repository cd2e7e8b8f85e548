"""Which relay a command means, by what its public log is verified, and remembering both.

In this order: `--relay`, `BLINDRELAY_URL`, the one that the tenant or device was told to use the last time that `--relay` was
given, and the one that runs on this machine.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from blindrelay.cli.places import HOME
from blindrelay.clients.auditor.address import read_policy
from blindrelay.clients.errors import NotEnrolled
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint

Command = TypeVar("Command", bound=Callable[..., Any])
_CERTIFICATE = "relay.crt"
_POLICY = "directory.policy"


@dataclass(frozen=True, slots=True)
class Where:
    """What `relay_options` come to.

    Attributes:
        relay: `--relay`.
        ca: `--ca`.
        log_policy: `--log-policy`.
    """

    relay: str | None = None
    ca: Path | None = None
    log_policy: Path | None = None

    def choose(self, folder: Path, home: Path) -> RelayAddress:
        """The relay for what is in `folder`.

        Raises:
            click.UsageError: the options do not go together.
            NotEnrolled: there is none.
            Malformed: an address or file is none.
        """
        address = self._address(folder, home)
        remembered = folder / _POLICY
        if self.log_policy is not None:
            return replace(address, log_policy=str(read_policy(self.log_policy)))
        if self.relay is None and "BLINDRELAY_URL" not in os.environ and remembered.exists():
            return replace(address, log_policy=str(read_policy(remembered)))
        return address

    def _address(self, folder: Path, home: Path) -> RelayAddress:
        if self.relay is not None:
            if "://" in self.relay:
                return RelayAddress.from_url(self.relay, _ca_of(self.ca))
            return RelayAddress.from_file(_file(self.relay))
        if self.ca is not None:
            raise click.UsageError("--ca goes with --relay mqtts://host:port")
        remembered = folder / FILE_NAME
        if "BLINDRELAY_URL" not in os.environ and os.path.lexists(remembered):
            return RelayAddress.from_file(remembered.resolve())
        return RelayAddress.find({**os.environ, HOME: str(home)})

    def remember(self, folder: Path) -> None:
        """Keep what was named on the command line, for the next commands about what is in `folder`."""
        if self.relay is not None:
            self._remember_relay(self.relay, folder)
            (folder / _POLICY).unlink(missing_ok=True)  # it is that of another relay
        if self.log_policy is not None:
            (folder / _POLICY).write_bytes(self.log_policy.read_bytes())

    def _remember_relay(self, relay: str, folder: Path) -> None:
        place = folder / FILE_NAME
        place.unlink(missing_ok=True)
        if "://" not in relay:
            place.symlink_to(_file(relay).absolute())  # where it listens may change from start to start
            return
        address = RelayAddress.from_url(relay, _ca_of(self.ca))
        (folder / _CERTIFICATE).write_bytes(address.ca)
        Endpoint(host=address.host, port=address.port, ca_certificate=_CERTIFICATE).write(place)


def relay_options(command: Command) -> Command:
    """Add `--relay`, `--ca` and `--log-policy`, and hand the command one `where`."""

    def told(**options: Any) -> Any:
        where = Where(options.pop("relay"), options.pop("ca"), options.pop("log_policy"))
        return command(where=where, **options)

    told.__doc__, told.__name__ = command.__doc__, command.__name__
    # The parameters that were declared below us are handed on.
    told.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    decorated = click.option(
        "--log-policy",
        type=file,
        envvar="BLINDRELAY_LOG_POLICY",
        show_envvar=True,
        help="By what to verify the relay's public log: its key and its witnesses, from somebody else than the relay. It is "
        "remembered.  [default: the relay's own file on this machine, else what the relay says when it is first asked]",
    )(told)
    decorated = click.option(
        "--ca", type=file, help="With mqtts://: the certificate to know the relay by (its relay.crt)."
    )(decorated)
    return click.option(  # type: ignore[return-value]
        "--relay",
        metavar="WHERE",
        help="mqtts://host:port (with --ca), or the data directory or endpoint.json of a relay on this machine. "
        "It is remembered.  [default: BLINDRELAY_URL, the last one, the one on this machine]",
    )(decorated)


def witnesses_option(command: Command) -> Command:
    """Add `--witnesses`."""
    return click.option(
        "--witnesses",
        type=click.IntRange(0),
        metavar="N",
        envvar="BLINDRELAY_WITNESSES",
        show_envvar=True,
        help="How many of the log's witnesses must have cosigned.  [default: as its policy says]",
    )(command)


def hand_on(source: Path, target: Path) -> None:
    """What `source` remembers, `target` remembers, too: a device that is enrolled uses its enterprise's relay."""
    place = source / FILE_NAME
    if place.is_symlink():
        (target / FILE_NAME).symlink_to(place.readlink())
    elif place.exists():
        (target / FILE_NAME).write_bytes(place.read_bytes())
        (target / _CERTIFICATE).write_bytes((source / _CERTIFICATE).read_bytes())
    if (source / _POLICY).exists():
        (target / _POLICY).write_bytes((source / _POLICY).read_bytes())


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
