"""Which log a command reads, and what it wants of it."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from blindrelay.cli.output import complain
from blindrelay.cli.places import HOME, home_option
from blindrelay.cli.relays import witnesses_option
from blindrelay.clients.auditor.address import LogsAddress, read_policy
from blindrelay.clients.auditor.log import MAX_AGE, PublicLog, Wants, open_log
from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import FILE_NAME
from blindrelay.protocol.transparency.policy import NO_QUORUM, Trust

Command = TypeVar("Command", bound=Callable[..., Any])
NAMES: Final = ("directory", "lawful-access")
FOLDER: Final = "auditor"

_FROM_THE_RELAY = (
    "warning: only the relay itself says by what its log is to be verified, so nothing here counts against whoever runs it: "
    "get the log's policy from somebody else, and name it with --policy"
)
_NO_WITNESS = (
    "warning: no witness has to cosign this log: the relay could show others another one, or this one as it was once"
)


class LogReader:
    """The log that a command reads, not opened yet: what the options of `log_options` come to."""

    def __init__(
        self, name: str, home: Path, relay: str | None, ca: Path | None, policy: Path | None, wants: Wants
    ) -> None:
        self.name = name
        self.home = home
        self.wants = wants
        self._relay = relay
        self._ca = ca
        self._policy = policy

    @asynccontextmanager
    async def open(self) -> AsyncIterator[PublicLog]:
        """Open it, and say what is not known for certain. Raises what `open_log` raises, and `click.UsageError`."""
        policy = None if self._policy is None else read_policy(self._policy)
        folder = self.home / FOLDER
        async with open_log(self._address(), self.name, folder, policy=policy, wants=self.wants) as log:
            if log.is_said_by_relay:
                complain(_FROM_THE_RELAY)
            if log.trust.quorum == NO_QUORUM:
                complain(_NO_WITNESS)
            yield log

    def known_policy(self) -> Trust | None:
        """By what to verify what comes from the log, without asking anybody; None if nobody has said."""
        if self._policy is not None:
            return self.wants.of(read_policy(self._policy))
        try:
            said = self._address().policies.get(self.name)
        except NotEnrolled:
            return None
        return None if said is None else self.wants.of(Trust.parse(said))

    def _address(self) -> LogsAddress:
        return logs_address(self._relay, self._ca, self.home)


def logs_address(relay: str | None, ca: Path | None, home: Path) -> LogsAddress:
    """Where `--relay` and `--ca` say that the logs are. Raises `click.UsageError`, `NotEnrolled`, `Malformed`."""
    if relay is not None and "://" in relay:
        if ca is None:
            raise click.UsageError(f"--relay {relay} needs --ca FILE, the certificate to know the relay by")
        return LogsAddress.from_url(relay, ca)
    if ca is not None:
        raise click.UsageError("--ca goes with --relay https://host:port")
    if relay is None:
        return LogsAddress.find({**os.environ, HOME: str(home)})
    path = Path(relay)
    return LogsAddress.from_file(path / FILE_NAME if path.is_dir() else path)


RELAY_OPTION: Final = click.option(
    "--relay",
    metavar="WHERE",
    help="https://host:port of the logs, or mqtts://host:port of the relay (with --ca), or the data directory or "
    "endpoint.json of a relay on this machine.  [default: BLINDRELAY_LOGS, BLINDRELAY_URL, the one on this machine]",
)
CA_OPTION: Final = click.option(
    "--ca",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The certificate to know the relay by (its relay.crt).  [env: BLINDRELAY_CA]",
)


def log_options(command: Command) -> Command:
    """Add `--log` and whatever says where it is and by what to verify it, and hand the command one `log`."""

    def read(**options: Any) -> Any:
        wants = Wants(options.pop("witnesses"), 60 * options.pop("max_age"))
        place = (options.pop("relay"), options.pop("ca"), options.pop("policy"))
        reader = LogReader(options.pop("log_name"), options.pop("home"), *place, wants)
        return command(log=reader, **options)

    read.__doc__, read.__name__ = command.__doc__, command.__name__
    # The parameters that were declared below us are handed on.
    read.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    options = (
        click.option("--log", "log_name", type=click.Choice(NAMES), default=NAMES[0], show_default=True, help="Which."),
        RELAY_OPTION,
        CA_OPTION,
        click.option(
            "--policy",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="By what to verify the log (https://c2sp.org/tlog-policy).  [default: BLINDRELAY_LOG_POLICY, what the relay "
            "of this machine has left in its data directory; else what the relay says, with a warning]",
        ),
        witnesses_option,
        click.option(
            "--max-age",
            type=click.FloatRange(min=0, min_open=True),
            default=MAX_AGE / 60,
            show_default=True,
            metavar="MINUTES",
            help="How old their cosignatures may be.",
        ),
        home_option,
    )
    decorated: Any = read
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
