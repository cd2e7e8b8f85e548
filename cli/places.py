"""Where things are on this machine, and whose they are.

Below the home (`--home`, `BLINDRELAY_HOME`, else `~/.local/share/blindrelay`):

    relay/                        a relay's data directory
    tenants/<tenant>/             an enterprise's
    clients/<tenant>/<user>/<device>/    a device's
    authorities/<authority>/      an authority's

An enterprise and its devices never live inside a relay's data directory: the relay's operator reads everything in there.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from blindrelay.protocol.address import DeviceAddress, UserAddress, check_tenant
from blindrelay.protocol.errors import Malformed

HOME = "BLINDRELAY_HOME"
# What a relay's data directory has in it and no other directory of ours: its store and its lock.
_RELAY_MARKS = ("relay.db", "relay.key")

Command = TypeVar("Command", bound=Callable[..., Any])


def default_home() -> Path:
    """The home when none is named, by the XDG base directory specification."""
    base = os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "blindrelay"


def home_option(command: Command) -> Command:
    """Add `--home`."""
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        envvar=HOME,
        default=default_home,
        show_default="~/.local/share/blindrelay",
        show_envvar=True,
        help="Where tenants and devices are kept.",
    )(command)


def relay_directory(home: Path) -> Path:
    """The data directory of the relay that `up` runs when none is named."""
    return home / "relay"


def tenant_directory(home: Path, tenant: str) -> Path:
    """An enterprise's own directory; raise `click.UsageError` if it would lie within a relay's."""
    return _private(home / "tenants" / tenant)


def device_directory(home: Path, device: DeviceAddress) -> Path:
    """A device's own directory; raise `click.UsageError` if it would lie within a relay's."""
    return _private(home / "clients" / device.tenant / device.user / device.device)


def authority_directory(home: Path, authority: str) -> Path:
    """An authority's own directory; raise `click.UsageError` if it would lie within a relay's."""
    return _private(home / "authorities" / authority)


def _private(path: Path) -> Path:
    for parent in path.resolve().parents:
        if any((parent / mark).exists() for mark in _RELAY_MARKS):
            raise click.UsageError(
                f"{path} lies within {parent}, the data directory of a relay: keys of tenants and devices never go there; "
                "name another place with --home"
            )
    return path


class TenantType(click.ParamType[str]):
    """A tenant's name, checked where it is typed."""

    name = "tenant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with what a name looks like."""
        try:
            return check_tenant(str(value))
        except Malformed as error:
            self.fail(str(error), param, ctx)


class UserType(click.ParamType[UserAddress]):
    """`user@tenant`."""

    name = "user@tenant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> UserAddress:
        """Return the address, or fail with what an address looks like."""
        try:
            return value if isinstance(value, UserAddress) else UserAddress.parse(str(value))
        except Malformed as error:
            self.fail(str(error), param, ctx)


class DeviceType(click.ParamType[DeviceAddress]):
    """`tenant/user/device`."""

    name = "tenant/user/device"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> DeviceAddress:
        """Return the address, or fail with what an address looks like."""
        try:
            return value if isinstance(value, DeviceAddress) else DeviceAddress.parse(str(value))
        except Malformed as error:
            self.fail(str(error), param, ctx)
