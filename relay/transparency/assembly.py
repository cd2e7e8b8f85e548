"""The public logs, put together: keys, policies, files, and the door through which everybody may read them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from blindrelay.protocol.clock import Clock
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.policy import Trust, parse_witness
from blindrelay.relay import files
from blindrelay.relay.config import Logs, Settings
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.errors import BadConfiguration
from blindrelay.relay.transparency.entries import Source
from blindrelay.relay.transparency.keys import FOLDER as KEYS
from blindrelay.relay.transparency.keys import open_keys
from blindrelay.relay.transparency.log import Log, LogSettings
from blindrelay.relay.transparency.pieces import Pieces

if TYPE_CHECKING:
    from starlette.routing import Route

FOLDER: Final = "logs"


@asynccontextmanager
async def open_log(  # noqa: PLR0913, PLR0917 - what a log is made of
    name: str, data_directory: Path, source: Source, logs: Logs, clock: Clock, identity: Path | None = None
) -> AsyncIterator[Log]:
    """One of the logs, open and publishing. `logs/<name>.policy` says by what it is to be verified.

    `identity`: where its key is, if that is not the data directory.

    Raises:
        StartupError: keys, witnesses or files cannot be used.
    """
    log_settings = _prepare(name, data_directory, identity or data_directory, logs)
    log = await Log.open(data_directory / FOLDER / name, source, log_settings, clock)
    try:
        yield log
    finally:
        await log.close()


@asynccontextmanager
async def show_log(  # noqa: PLR0913, PLR0917 - what a log is made of
    name: str, directory: DataDirectory, pieces: Pieces, source: Source, logs: Logs, clock: Clock
) -> AsyncIterator[Log]:
    """One of the logs, as it is in the database of several nodes: it is shown here, and published by whoever has its turn.

    Raises:
        StartupError: keys, witnesses or what was published cannot be used.
    """
    log = await Log.show(pieces, source, _prepare(name, directory.path, directory.identity, logs), clock)
    try:
        yield log
    finally:
        await log.close()


def _prepare(name: str, data_directory: Path, identity: Path, logs: Logs) -> LogSettings:
    (data_directory / FOLDER).mkdir(mode=0o700, exist_ok=True)
    log_settings = _settings(name, identity, logs)
    files.write_durably(policy_file(data_directory, name), str(log_settings.trust).encode())
    return log_settings


def policy_file(data_directory: Path, name: str) -> Path:
    """Where the policy of a log is."""
    return data_directory / FOLDER / f"{name}.policy"


def _settings(name: str, path: Path, logs: Logs) -> LogSettings:
    keys = open_keys(path / KEYS, name, logs.origin)
    try:
        witnesses = tuple(map(parse_witness, logs.witnesses))
        trust = Trust.threshold(keys[0].verifier, witnesses, len(witnesses) if logs.quorum is None else logs.quorum)
    except Malformed as error:
        raise BadConfiguration(f"logs.witnesses: {error}") from error
    return LogSettings(trust, keys, logs.refresh_seconds)


@asynccontextmanager
async def open_to_all(
    logs: Mapping[str, Log], others: "Sequence[Route]", directory: DataDirectory, settings: Settings
) -> AsyncIterator[int]:
    """Serve the logs, and the routes of what else is public; yields the port. Raises `AddressInUse`."""
    # Half a second of imports that a relay's other parts do not need.
    from blindrelay.relay.https import HttpsServer, ServerLimits  # noqa: PLC0415
    from blindrelay.relay.transparency.http import application  # noqa: PLC0415

    server = HttpsServer(application(logs, others), ServerLimits(), "the public logs", "https_port below [logs]")
    port = await server.start(settings.host, settings.logs_port, directory.certificate, directory.key)
    try:
        yield port
    finally:
        await server.stop()
