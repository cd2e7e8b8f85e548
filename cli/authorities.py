"""Which authority a command speaks as, and its line to the desk."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from blindrelay.cli import passphrase
from blindrelay.cli.places import HOME, authority_directory, home_option
from blindrelay.clients.authority.address import DeskAddress
from blindrelay.clients.authority.desk import DeskClient
from blindrelay.clients.authority.docket import Docket
from blindrelay.clients.authority.identity import CARD, AuthorityIdentity
from blindrelay.clients.errors import AuthorityLocked, NotEnrolled
from blindrelay.protocol.endpoint import FILE_NAME

Command = TypeVar("Command", bound=Callable[..., Any])
_ID: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}", re.ASCII)
_CERTIFICATE, _URL = "relay.crt", "desk-url"


class AuthorityType(click.ParamType[str]):
    """An authority's id: it names a folder as well."""

    name = "authority"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id, or fail with what an id looks like."""
        if not _ID.fullmatch(str(value)):
            self.fail(
                f"{str(value)!r} is no authority's id: expected lower-case letters, digits, dots, hyphens", param, ctx
            )
        return str(value)


class Office:
    """The authority that a command speaks as, not opened yet: what the options of `office_options` come to."""

    def __init__(self, folder: Path, home: Path, file: Path | None, relay: str | None, ca: Path | None) -> None:
        self.folder = folder
        self.docket = Docket(folder)
        self._home = home
        self._file = file
        self._relay = relay
        self._ca = ca

    def identity(self) -> AuthorityIdentity:
        """Open the identity; a passphrase is asked for where there is one. Raises `AuthorityError`, `AuthorityLocked`."""
        try:
            return AuthorityIdentity.open(self.folder, passphrase.given(self._file))
        except AuthorityLocked:
            if passphrase.given(self._file) is not None:
                raise
        return AuthorityIdentity.open(self.folder, passphrase.existing(self._file, self.folder.name))

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[DeskClient]:
        """A line to the desk.

        Raises:
            NotEnrolled: there is no relay, or it has no desk.
            ClientError: what `DeskClient` raises.
        """
        async with DeskClient(self.identity(), self._address()) as desk:
            self._remember()
            yield desk

    def _address(self) -> DeskAddress:
        if self._relay is not None:
            return (
                DeskAddress.from_url(self._relay, self._known_by())
                if "://" in self._relay
                else DeskAddress.from_file(_file(self._relay))
            )
        if self._ca is not None:
            raise click.UsageError("--ca goes with --relay https://host:port")
        if "BLINDRELAY_DESK" not in os.environ:
            if (self.folder / _URL).exists():
                return DeskAddress.from_url((self.folder / _URL).read_text().strip(), self.folder / _CERTIFICATE)
            if os.path.lexists(self.folder / FILE_NAME):
                return DeskAddress.from_file((self.folder / FILE_NAME).resolve())
        return DeskAddress.find({**os.environ, HOME: str(self._home)})

    def _known_by(self) -> Path:
        if self._ca is None:
            raise click.UsageError("--relay https://host:port needs --ca FILE, the certificate to know the relay by")
        return self._ca

    def _remember(self) -> None:
        """Keep a relay that was named on the command line, for the next commands."""
        if self._relay is None:
            return
        for name in (_URL, _CERTIFICATE, FILE_NAME):
            (self.folder / name).unlink(missing_ok=True)
        if "://" in self._relay:
            (self.folder / _CERTIFICATE).write_bytes(self._known_by().read_bytes())
            (self.folder / _URL).write_text(f"{self._relay}\n")
        else:  # where it listens may change from start to start
            (self.folder / FILE_NAME).symlink_to(_file(self._relay).absolute())


def office_options(command: Command) -> Command:
    """Add `--as` and what a line to a desk needs, and hand the command one `office`."""

    def speak(**options: Any) -> Any:
        home = options.pop("home")
        folder = authority_directory(home, options.pop("as_") or _only_authority(home))
        office = Office(folder, home, options.pop("passphrase_file"), options.pop("relay"), options.pop("ca"))
        return command(office=office, **options)

    speak.__doc__, speak.__name__ = command.__doc__, command.__name__
    # The parameters that were declared below us are handed on.
    speak.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated = passphrase.passphrase_option(_relay_options(home_option(speak)))
    return click.option(  # type: ignore[return-value]
        "--as",
        "as_",
        type=AuthorityType(),
        envvar="BLINDRELAY_AUTHORITY",
        show_envvar=True,
        help="The authority to speak as.  [default: the only one that there is]",
    )(decorated)


def _relay_options(command: Command) -> Command:
    command = click.option(
        "--ca",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="With https://: the certificate to know the relay by (its relay.crt).",
    )(command)
    return click.option(
        "--relay",
        metavar="WHERE",
        help="https://host:port (with --ca), or the data directory or endpoint.json of a relay on this machine. "
        "It is remembered.  [default: BLINDRELAY_DESK, the last one, the one on this machine]",
    )(command)


def _only_authority(home: Path) -> str:
    found = [card.parent.name for card in sorted((home / "authorities").glob(f"*/{CARD}"))]
    if len(found) != 1:
        several = f"there are several: {', '.join(found[:8])}" if found else f"there is none in {home}"
        raise click.UsageError(f"which authority do you want to be? {several}; name it with --as AUTHORITY")
    return found[0]


def _file(relay: str) -> Path:
    path = Path(relay)
    file = path / FILE_NAME if path.is_dir() else path
    if not file.exists():
        raise NotEnrolled(f"there is no {file}: a relay leaves it there while it runs (`blindrelay up`)")
    return file
