"""`blindrelay log monitor`: follow a log, and alarm."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final

import click

from blindrelay.cli.bars import bar_of_items
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.log_names import Identities, Names, certificates_of, root_of
from blindrelay.cli.log_options import LogReader, log_options
from blindrelay.cli.log_show import ROOT_OPTION
from blindrelay.cli.log_views import line, record
from blindrelay.cli.output import JSON_OPTION, complain, console, emit, printable
from blindrelay.cli.passphrase import passphrase_option
from blindrelay.cli.places import TenantType, UserType
from blindrelay.clients.auditor.monitor import Finding, Monitor
from blindrelay.clients.auditor.watch import Own
from blindrelay.clients.errors import ConnectionLost, LogRejected, NotEnrolled, RelayUnreachable, TimedOut
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.errors import BlindrelayError

# They pass: a relay is restarted, a witness comes back. Meanwhile it is said once that they are there.
_PASSING: Final = (RelayUnreachable, ConnectionLost, TimedOut)
_MINE: Final = click.option(
    "--mine",
    metavar="FINGERPRINT",
    multiple=True,
    help="With --account: the SHA-256 of the certificate of one more device of yours, hexadecimal. Repeatable.",
)


@click.command(
    epilog="""\b
Examples:
  blindrelay log monitor --tenant acme.example                  follow; Ctrl-C ends it
  blindrelay log monitor --tenant acme.example --once           for cron: exit code 15 if something is wrong
  blindrelay log monitor --account alice@acme.example --once
  blindrelay log monitor --tenant acme.example --dismiss 17     that has been dealt with
  blindrelay log monitor                                        every new entry, as it comes

\b
A tenant's monitor reads tenants/TENANT in the home: what the CA has issued and revoked. It opens no secret there. It finds a
device that the CA did not enrol, a root that is not the enterprise's, a revocation that the enterprise did not make.
An account's monitor knows the devices in the home, and those of --mine: it finds devices that are somebody else's, whoever in
the enterprise has enrolled them.
What was found stays found, at each start, until it is put right or dismissed.
"""
)
@log_options
@click.option("--tenant", type=TenantType(), help="Watch over an enterprise, whose CA is in the home.")
@click.option("--account", type=UserType(), help="Watch over a user, who has a device in the home, or see --root.")
@ROOT_OPTION
@_MINE
@click.option("--once", is_flag=True, help="Read what is new, and end.")
@click.option(
    "--interval", type=click.FloatRange(1), default=60, show_default=True, metavar="SECONDS", help="Between two looks."
)
@click.option(
    "--dismiss", type=click.IntRange(0), metavar="INDEX", help="Forget what was found about an entry, and end."
)
@passphrase_option
@JSON_OPTION
def monitor(
    log: LogReader,
    tenant: str | None,
    account: UserAddress | None,
    root: Path | None,
    mine: tuple[str, ...],
    once: bool,
    interval: float,
    dismiss: int | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> int:
    """Follow a log: verify each new checkpoint and each new entry, and alarm on what is about you and not yours.

    A log that does not hold (it is rolled back, forked, or an entry was changed) ends it, with exit code 15, and with evidence
    where there is any.
    """
    if tenant is not None and account is not None:
        raise click.UsageError("watch over an enterprise or over an account: two monitors, where you want both")
    if (tenant is not None or account is not None) and log.name != "directory":
        raise click.UsageError(f"{log.name} names no enterprises and accounts: without --tenant and --account")
    own: Callable[[], Own] | None = None
    if tenant is not None:
        own = _enterprise(log.home, tenant)
    elif account is not None:
        own = _account(account, Identities(log.home, passphrase_file), root, mine)
    following = _Following(log, str(tenant or account or "everything"), own, as_json=as_json)
    try:
        return interruptible(
            following.dismiss(dismiss) if dismiss is not None else following.run(None if once else interval)
        )
    except KeyboardInterrupt:
        if following.findings:
            return ExitCode.LOG_REJECTED
        raise


def _enterprise(home: Path, tenant: str) -> Callable[[], Own]:
    def own() -> Own:
        certificates = certificates_of(home, tenant)
        if certificates is None:
            raise NotEnrolled(f"the CA of {tenant} is not in {home}: name the home that it is in with --home")
        return Own.of_enterprise(certificates)

    own()  # what is wrong is said at once
    return own


def _account(user: UserAddress, identities: Identities, root: Path | None, mine: tuple[str, ...]) -> Callable[[], Own]:
    devices = {fingerprint(identity.certificate).hex() for identity in identities.of_account(user)}
    devices |= {given.replace(":", "").lower() for given in mine}
    own = Own.of_account(user, root_of(user, identities, root), devices)
    return lambda: own


class _Following:
    """One monitor, and what it has told already."""

    def __init__(self, log: LogReader, name: str, own: Callable[[], Own] | None, *, as_json: bool) -> None:
        self.findings: list[Finding] = []
        self._log = log
        self._name = name
        self._own = own
        self._as_json = as_json
        self._told: set[int] = set()
        self._trouble = ""

    async def dismiss(self, index: int) -> int:
        async with self._log.open() as public:
            finding = await Monitor(public, self._name, self._own).dismiss(index)
        self._say("dismissed", finding.reason, index=index)
        return ExitCode.OK

    async def run(self, interval: float | None) -> int:
        """Once, or again and again until the log does not hold."""
        async with self._log.open() as public:
            found = Monitor(public, self._name, self._own)
            while True:
                await self._look_patiently(found) if interval else await self._look(found)
                if not interval:
                    return self._conclude(found)
                await asyncio.sleep(interval)

    def _conclude(self, found: Monitor) -> int:
        if found.findings:
            complain(f"{len(found.findings)} of {found.size} entries are not as they should be")
            return ExitCode.LOG_REJECTED
        if not self._as_json:
            click.echo(f"{found.size} entries, and none that is not as it should be")
        return ExitCode.OK

    async def _look_patiently(self, found: Monitor) -> None:
        """What passes is told when it comes, and when it is over."""
        try:
            await self._look(found)
        except _PASSING as error:
            self._be_troubled(error)
        except LogRejected as error:
            if error.check != "stale":
                raise
            self._be_troubled(error)
        else:
            if self._trouble:
                self._trouble = ""
                self._say("again", f"{self._log.name} can be read again, and holds")

    def _be_troubled(self, error: BlindrelayError) -> None:
        kind = type(error).__name__
        if kind != self._trouble:
            self._trouble = kind
            complain(f"{error}; trying on")

    async def _look(self, found: Monitor) -> None:
        names = Names.known_in(self._log.home)
        with bar_of_items(f"reading {self._log.name}") as progress:
            async with aclosing(found.look(progress)) as entries:
                async for seen in entries:
                    if self._as_json:
                        emit({"event": "entry", **record(seen.index, seen.data)})
                    else:
                        console().print(line(seen.index, seen.data, names), soft_wrap=True)
        self._tell_findings(found.findings)
        if self._as_json:
            emit(
                {"event": "looked", "log": found.log.memory.origin, "size": found.size, "findings": len(found.findings)}
            )

    def _tell_findings(self, findings: list[Finding]) -> None:
        self.findings = findings
        for finding in findings:
            if finding.index not in self._told:
                self._alarm(finding)
        for index in sorted(self._told - {finding.index for finding in findings}):
            self._say("settled", f"entry {index} is as it should be by now", index=index)
        self._told = {finding.index for finding in findings}

    def _alarm(self, finding: Finding) -> None:
        if self._as_json:
            emit(
                {
                    "event": "alarm",
                    **finding.model_dump(include={"index", "check", "reason"}),
                    "certificate": finding.certificate,
                }
            )
        else:
            console().print(f"[bold red]ALARM[/bold red]   {printable(finding.reason)}", soft_wrap=True)

    def _say(self, event: str, words: str, **more: object) -> None:
        if self._as_json:
            emit({"event": event, "reason": words, **more})
        else:
            click.echo(printable(f"{event:<7} {words}"))
