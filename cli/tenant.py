"""`blindrelay tenant`: an enterprise's own side: its certificate authority, and whose devices it vouches for."""

from dataclasses import replace
from pathlib import Path
from typing import TextIO

import click
from cryptography import x509
from rich import box
from rich.table import Table

from blindrelay.cli import passphrase, relays
from blindrelay.cli.devices import keep_passphrase
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.lazy import OrderedGroup
from blindrelay.cli.notices import sentence
from blindrelay.cli.output import JSON_OPTION, complain, console, emit, foreign
from blindrelay.cli.passphrase import new_passphrase_options, passphrase_option
from blindrelay.cli.places import TenantType, device_directory, home_option, tenant_directory
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import read_certificates
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import AdmissionRefused, AuthorityLocked, RelayUnreachable
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.protocol.address import DeviceAddress, check_jurisdiction
from blindrelay.protocol.certificates import fingerprint, is_archive, subject_of
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.statements import RevocationReason

_TENANT = click.argument("tenant", type=TenantType())


def _jurisdiction(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    try:
        return None if value is None else check_jurisdiction(value)
    except Malformed as error:
        raise click.BadParameter(str(error)) from error


_JURISDICTION = click.option(
    "--jurisdiction",
    metavar="CC",
    callback=_jurisdiction,
    help="Where it is at home: two lower-case letters (ISO 3166-1), such as us.",
)


@click.group(
    cls=OrderedGroup,
    epilog="""\b
A company in three lines, with a relay running (`blindrelay up`):
  blindrelay tenant create acme.example
  blindrelay tenant register acme.example
  blindrelay tenant enrol acme.example alice laptop

\b
And when the laptop is lost:
  blindrelay tenant revoke acme.example alice laptop --reason lost
""",
)
def tenant() -> None:
    """Run an enterprise: its certificate authority, its people, their devices.

    A tenant's folder (tenants/TENANT in the home) holds the key of its authority: whoever has it can make devices in its
    people's names. Keep it on the enterprise's side. These commands refuse a folder inside a relay's data directory.
    """


@tenant.command(
    epilog="""\b
Examples:
  blindrelay tenant create acme.example
  blindrelay tenant create acme.example --ask-passphrase
  blindrelay tenant create acme.example --jurisdiction us
"""
)
@_TENANT
@home_option
@_JURISDICTION
@new_passphrase_options
def create(
    tenant: str, home: Path, jurisdiction: str | None, passphrase_file: Path | None, ask_passphrase: bool
) -> None:
    """Found TENANT (a domain, such as acme.example): make its certificate authority.

    Without a passphrase the mode of the files (0600) alone protects its key.

    The jurisdiction is told to the relay when the tenant is registered: it says whose authorities may ask about its people,
    and whether a suspension of the service there concerns it.
    """
    folder = tenant_directory(home, tenant)
    words = passphrase.new(passphrase_file, ask=ask_passphrase)
    Enterprise.create(tenant, folder=folder, passphrase=words, jurisdiction=jurisdiction)
    click.echo(f"{tenant} has a certificate authority in {folder}")
    click.echo(f"next: blindrelay tenant register {tenant}")


@tenant.command(
    epilog="""\b
Examples:
  blindrelay tenant register acme.example
      the relay that runs on this machine, as you
  blindrelay tenant register acme.example --relay mqtts://relay.example:8883 --ca relay.crt --code-file code
      a relay elsewhere: its operator gives you its certificate and registration code
"""
)
@_TENANT
@home_option
@relays.relay_options
@_JURISDICTION
@click.option("--code", envvar="BLINDRELAY_REGISTRATION_CODE", show_envvar=True, help="The relay's registration code.")
@click.option("--code-file", type=click.File(), help="A file with the code (- is stdin).")
@passphrase_option
def register(
    tenant: str,
    home: Path,
    where: relays.Where,
    jurisdiction: str | None,
    code: str | None,
    code_file: TextIO | None,
    passphrase_file: Path | None,
) -> None:
    """Introduce TENANT to a relay: hand it the root certificate, and say in which jurisdiction it is at home.

    That is enough for the relay to recognise the tenant's devices, and not enough to make one. Doing it twice is harmless. A
    jurisdiction can be added later; only the relay's operator changes one.
    """
    folder = tenant_directory(home, tenant)
    address = where.choose(folder, home)
    given = code_file.read(4_096).strip() if code_file is not None else code
    if given:
        address = replace(address, registration_code=given)
    enterprise = _open(tenant, folder, passphrase_file, address)
    enterprise.jurisdiction = jurisdiction or enterprise.jurisdiction
    interruptible(enterprise.register())
    where.remember(folder)
    click.echo(f"the relay at {address.host}:{address.port} knows {tenant} now")


@tenant.command(
    epilog="""\b
Examples:
  blindrelay tenant enrol acme.example alice laptop
  blindrelay tenant enrol acme.example alice records --archive
"""
)
@_TENANT
@click.argument("user")
@click.argument("device")
@home_option
@click.option("--archive", is_flag=True, help="A compliance archive: everybody who writes to the user is shown it.")
@click.option(
    "--offline", is_flag=True, help="Do not introduce the device to the relay now; its first connection will."
)
@relays.relay_options
@passphrase_option
@click.option("--ask-device-passphrase", is_flag=True, help="Ask for a passphrase to seal the device's key store with.")
@click.option(
    "--device-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    help="A file whose first line is the passphrase to seal the device's key store with.",
)
def enrol(
    tenant: str,
    user: str,
    device: str,
    home: Path,
    archive: bool,
    offline: bool,
    where: relays.Where,
    passphrase_file: Path | None,
    ask_device_passphrase: bool,
    device_passphrase_file: Path | None,
) -> None:
    """Enrol DEVICE of USER: make its keys, certify it, introduce it to the relay.

    The device is clients/TENANT/USER/DEVICE in the home, a folder that can be moved to where it is used. Its key store is
    sealed with a passphrase of yours, or with a random one in the file `passphrase` beside it.
    """
    address = DeviceAddress(tenant, user, device)
    folder, place = tenant_directory(home, tenant), device_directory(home, address)
    relay = None if offline else where.choose(folder, home)
    enterprise = _open(tenant, folder, passphrase_file, relay)
    own = passphrase.new(device_passphrase_file, ask=ask_device_passphrase, variable=passphrase.DEVICE_VARIABLE)
    interruptible(_issue(enterprise, address, place, own, archive=archive, announce=not offline))
    relays.hand_on(folder, place)
    where.remember(place)
    marked = ", a compliance archive" if archive else ""
    click.echo(f"{address} is enrolled{marked}; it is in {place}")
    click.echo(f"next: blindrelay client listen --as {address}")


async def _issue(
    enterprise: Enterprise, address: DeviceAddress, place: Path, own: str | None, *, archive: bool, announce: bool
) -> None:
    words = own or keep_passphrase(place)
    await enterprise.issue(address.user, address.device, place, words, archive=archive, announce=False)
    if announce:
        await _announce(place, words, enterprise.relay)


async def _announce(place: Path, words: str, relay: RelayAddress) -> None:
    device = Device.open(place, words, relay)
    try:
        async with device:
            pass
    except (AdmissionRefused, RelayUnreachable):
        complain(
            f"{place} is complete, but the relay has not met the device: its first connection will introduce it. "
            "Does the relay know the tenant? See `blindrelay tenant register --help`"
        )
        raise
    finally:
        device.close()


@tenant.command(
    epilog="""\b
Example:
  blindrelay tenant revoke acme.example alice laptop --reason lost
"""
)
@_TENANT
@click.argument("user")
@click.argument("device")
@home_option
@click.option(
    "--reason",
    type=click.Choice([reason.value for reason in RevocationReason], case_sensitive=False),
    default=RevocationReason.UNSPECIFIED.value,
    show_default=True,
    help="Why; it is in the signed revocation.",
)
@relays.relay_options
@passphrase_option
def revoke(
    tenant: str,
    user: str,
    device: str,
    home: Path,
    reason: str,
    where: relays.Where,
    passphrase_file: Path | None,
) -> None:
    """Withdraw DEVICE of USER: for a lost phone, or somebody who leaves.

    Within a second the relay ends its connections, admits it no more, and erases what waits for it. It cannot be undone;
    the user can have a new device.
    """
    address = DeviceAddress(tenant, user, device)
    folder = tenant_directory(home, tenant)
    enterprise = _open(tenant, folder, passphrase_file, where.choose(folder, home))
    count = interruptible(enterprise.revoke(user, device, RevocationReason(reason)))
    click.echo(f"{address} is revoked ({reason}): {count} certificate{'s' if count != 1 else ''} withdrawn")


@tenant.command(
    epilog="""\b
Examples:
  blindrelay tenant leave acme.example
  blindrelay tenant leave acme.example --yes --json      for scripts
"""
)
@_TENANT
@home_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@relays.relay_options
@passphrase_option
@JSON_OPTION
def leave(tenant: str, home: Path, yes: bool, where: relays.Where, passphrase_file: Path | None, as_json: bool) -> None:
    """Leave the relay for good: everybody of TENANT, at once.

    The relay ends all connections of its devices, admits no certificate of its authority any more, and deletes what it holds
    of it: mail that waits, prekeys, sessions, notices, and the records of who wrote and connected when, but for those that a
    preservation order keeps until it ends. The name stays, with the root's fingerprint and the day, so that nobody else can
    have it; and so does what the public logs say. It cannot be undone: let your people fetch their mail first. The tenant's
    folder stays as it is. Asking again is harmless.
    """
    folder = tenant_directory(home, tenant)
    enterprise = _open(tenant, folder, passphrase_file, where.choose(folder, home))
    at = f"{enterprise.relay.host}:{enterprise.relay.port}"
    if not yes:
        lost = "what waits there for its devices is lost, and the name can never be registered there again"
        click.confirm(f"Shall {tenant} leave the relay at {at} for good? {lost}.", abort=True, err=True)
    is_news = interruptible(enterprise.leave())
    if as_json:
        emit({"tenant": tenant, "relay": at, "left": True, "already": not is_news})
    else:
        click.echo(f"{tenant} has left the relay at {at}{'' if is_news else ' already'}")


@tenant.command(
    epilog="""\b
Example:
  blindrelay tenant notices acme.example
"""
)
@_TENANT
@home_option
@relays.relay_options
@passphrase_option
@JSON_OPTION
def notices(tenant: str, home: Path, where: relays.Where, passphrase_file: Path | None, as_json: bool) -> None:
    """Print what the relay tells TENANT about the service in its jurisdiction. Its administration is let in to ask while the
    service is suspended there, too."""
    folder = tenant_directory(home, tenant)
    enterprise = _open(tenant, folder, passphrase_file, where.choose(folder, home))
    found = interruptible(enterprise.notices())
    for notice in found:
        if as_json:
            emit(notice.model_dump(mode="json"))
        else:
            console().print(foreign(sentence(notice)), soft_wrap=True)
    if not found and not as_json:
        click.echo(f"the relay has told {tenant} nothing about the service where it is at home")


@tenant.command(name="list")
@home_option
@JSON_OPTION
def list_(home: Path, as_json: bool) -> None:
    """List the tenants that are administered here."""
    folders = sorted(path for path in (home / "tenants").glob("*") if (path / "root.der").exists())
    for folder in folders:
        found = read_certificates(folder)
        standing = (certificate for certificate in found.issued if fingerprint(certificate) not in found.revoked)
        devices = len({subject_of(certificate) for certificate in standing})
        if as_json:
            emit({"tenant": folder.name, "devices": devices, "folder": folder})
        else:
            click.echo(f"{folder.name}  {devices} device{'s' if devices != 1 else ''}  {folder}")
    if not folders and not as_json:
        click.echo(f"there are no tenants in {home}: blindrelay tenant create acme.example")


@tenant.command()
@_TENANT
@home_option
@JSON_OPTION
def show(tenant: str, home: Path, as_json: bool) -> None:
    """Show TENANT's root certificate and the devices that it has certified. No passphrase is needed for it."""
    folder = tenant_directory(home, tenant)
    found = read_certificates(folder)
    root, certificates = found.root, [_described(certificate, found.revoked) for certificate in found.issued]
    if as_json:
        emit(
            {
                "tenant": tenant,
                "folder": folder,
                "root_sha256": fingerprint(root).hex(),
                "root_expires": root.not_valid_after_utc.isoformat(),
                "certificates": certificates,
            }
        )
        return
    output = console()
    output.print(f"[bold]{tenant}[/bold]   {folder}")
    output.print(f"root    {_grouped(fingerprint(root))}   until {root.not_valid_after_utc:%Y-%m-%d}")
    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("device", "certificate (SHA-256)", "until", ""):
        table.add_column(heading, overflow="fold")
    for described in certificates:
        marks = ", ".join(mark for mark in ("archive", "revoked") if described[mark])
        table.add_row(str(described["device"]), str(described["sha256"])[:16], str(described["expires"])[:10], marks)
    output.print(table)


def _described(certificate: x509.Certificate, revoked: frozenset[bytes]) -> dict[str, object]:
    return {
        "device": str(subject_of(certificate)),
        "sha256": fingerprint(certificate).hex(),
        "expires": certificate.not_valid_after_utc.isoformat(),
        "archive": is_archive(certificate),
        "revoked": fingerprint(certificate) in revoked,
    }


def _grouped(digest: bytes) -> str:
    text = digest.hex()
    return " ".join(text[start : start + 8] for start in range(0, len(text), 8))


def _open(tenant: str, folder: Path, passphrase_file: Path | None, relay: RelayAddress | None) -> Enterprise:
    """Open the tenant; ask for its passphrase only if it has one and none is given."""
    words = passphrase.given(passphrase_file)
    try:
        return Enterprise.open(folder, relay, passphrase=words)
    except AuthorityLocked:
        if words is not None:
            raise
    return Enterprise.open(folder, relay, passphrase=passphrase.existing(None, tenant))
