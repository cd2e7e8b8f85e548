"""Which device a command speaks as, and opening it."""

import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from blindrelay.cli import passphrase, relays
from blindrelay.cli.places import DeviceType, device_directory, home_option
from blindrelay.clients.device import STORE_FILE, Device
from blindrelay.clients.errors import NotEnrolled, StoreFailed
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.errors import Malformed

Command = TypeVar("Command", bound=Callable[..., Any])
_PASSPHRASE_FILE = "passphrase"  # noqa: S105 - a file's name
#: For a device that is never entered: nobody can be asked through it.
_NO_RELAY = RelayAddress("none.invalid", 1, b"")


def keep_passphrase(folder: Path) -> str:
    """A random passphrase for the key store in `folder`, kept beside it (0600); the one that is there, if there is one.

    Raises:
        StoreFailed: it cannot be written.
    """
    words = secrets.token_urlsafe(32)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _PASSPHRASE_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _kept(folder) or words
    except OSError as error:
        raise StoreFailed(f"{folder} cannot be written: {error.strerror}") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{words}\n")
    return words


def _kept(folder: Path) -> str | None:
    try:
        return (folder / _PASSPHRASE_FILE).read_text("utf-8").strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreFailed(f"{folder / _PASSPHRASE_FILE} cannot be read: expected the key store's passphrase") from error


class Speaker:
    """The device that a command speaks as, not opened yet: what the options of `speaker_options` come to."""

    def __init__(
        self,
        address: DeviceAddress,
        home: Path,
        file: Path | None,
        where: relays.Where | None = None,
        witnesses: int | None = None,
    ) -> None:
        self.address = address
        self.folder = device_directory(home, address)
        self._home = home
        self._file = file
        self._where = where or relays.Where()
        self._witnesses = witnesses

    @asynccontextmanager
    async def connect(self, options: Options | None = None) -> AsyncIterator[Device]:
        """Open the device and connect it.

        Raises:
            NotEnrolled: there is no such device here, or no relay.
            WrongPassphrase, StoreInUse, StoreDamaged: see `KeyStore.open`.
        """
        self._check_is_there()
        relay = self._where.choose(self.folder, self._home)
        habits = replace(options or Options(), witnesses=self._witnesses)
        device = Device.open(self.folder, self._words(), relay, options=habits)
        try:
            async with device:
                self._where.remember(self.folder)
                yield device
        finally:
            device.close()

    @contextmanager
    def read(self) -> Iterator[Device]:
        """Open the device without a relay, for what is in its key store. Raises what `connect` raises, but for relays."""
        self._check_is_there()
        device = Device.open(self.folder, self._words(), _NO_RELAY)
        try:
            yield device
        finally:
            device.close()

    def identity(self) -> OwnIdentity:
        """What the device is; its key store is closed again. Raises what `read` raises."""
        self._check_is_there()
        with KeyStore.open(self.folder / STORE_FILE, self._words()) as store:
            return OwnIdentity.load(store)

    def _check_is_there(self) -> None:
        if not (self.folder / STORE_FILE).exists():
            raise NotEnrolled(
                f"there is no device {self.address} in {self.folder}: "
                f"blindrelay tenant enrol {self.address.tenant} {self.address.user} {self.address.device}"
            )

    def _words(self) -> str:
        return passphrase.given(self._file) or _kept(self.folder) or passphrase.existing(None, str(self.address))


def speaker_options(command: Command) -> Command:
    """Add `--as` and what opening a device needs, and hand the command one `speaker`."""

    def speak(**options: Any) -> Any:
        home = options.pop("home")
        address = options.pop("as_") or _only_device(home)
        file, where, witnesses = (options.pop(name) for name in ("passphrase_file", "where", "witnesses"))
        speaker = Speaker(address, home, file, where, witnesses)
        return command(speaker=speaker, **options)

    speak.__doc__, speak.__name__ = command.__doc__, command.__name__
    # The parameters that were declared below us are handed on.
    speak.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated = passphrase.passphrase_option(relays.relay_options(relays.witnesses_option(home_option(speak))))
    return click.option(  # type: ignore[return-value]
        "--as",
        "as_",
        type=DeviceType(),
        envvar="BLINDRELAY_AS",
        show_envvar=True,
        help="The device to speak as.  [default: the only one that there is]",
    )(decorated)


def _only_device(home: Path) -> DeviceAddress:
    found: list[DeviceAddress] = []
    for store in sorted((home / "clients").glob(f"*/*/*/{STORE_FILE}")):
        try:
            found.append(DeviceAddress(*store.parts[-4:-1]))
        except Malformed:
            continue  # somebody else's folder
    if len(found) != 1:
        several = f"there are several: {', '.join(map(str, found[:8]))}" if found else f"there is none in {home}"
        raise click.UsageError(f"which device do you want to be? {several}; name it with --as tenant/user/device")
    return found[0]
