"""What the machine gives a relay: rights, room, time, certificates, ports, open files."""

import os
import resource
import socket
import ssl
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cryptography import x509

from blindrelay.relay.doctor.logs import cosigned
from blindrelay.relay.doctor.model import Finding, Grade, Patient
from blindrelay.relay.store.reserve import RESERVE_BYTES

DAY: Final = 86_400
# Clients trust the very certificate: whoever has to hand out a new one needs some time.
_CERTIFICATE_DAYS: Final = 60
_CLOCK_SECONDS: Final = 60
_CONNECT_SECONDS: Final = 3.0
# Open files that are no connections.
_OTHER_FILES: Final = 64
_GIB: Final = 1 << 30


def permissions(patient: Patient) -> Iterator[Finding]:
    """Whether the data directory is the relay's user's alone."""
    everything = [patient.data, *sorted(patient.data.rglob("*"))]
    modes = [path for path in everything if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if modes:
        more = f", and {len(modes) - 1} more" if len(modes) > 1 else ""
        advice = f"chmod -R go-rwx {patient.data}; if a key was open, replace it"
        yield Finding(Grade.WRONG, f"others on this machine may read {modes[0]}{more}", advice)
    elif patient.data.stat().st_uid != os.geteuid():
        advice = "run the doctor as the user that the relay runs as: it sees what the relay sees"
        yield Finding(Grade.WATCH, f"{patient.data} is not yours", advice)
    else:
        yield Finding(Grade.WELL, "the data directory is its owner's alone")


def disk(patient: Patient) -> Iterator[Finding]:
    """Whether there is room."""
    found = os.statvfs(patient.data)
    free, share = found.f_bavail * found.f_frsize, found.f_bavail / max(1, found.f_blocks)
    text = f"{free / _GIB:.1f} GiB are free, {share:.0%} of the disk"
    if free < 4 * RESERVE_BYTES:
        yield Finding(Grade.WRONG, text, "make room: a relay whose disk is full refuses messages (PUBACK 0x97)")
    elif free < _GIB or share < 0.05:
        yield Finding(Grade.WATCH, text, "make room, or shorten the windows below [retention]")
    else:
        yield Finding(Grade.WELL, text)


def clock(patient: Patient) -> Iterator[Finding]:
    """Whether it is later than everything that has been recorded."""
    now = patient.clock.now()
    newest = max([_newest_record(patient), *(time for _, time in cosigned(patient))], default=0.0)
    if newest > now + _CLOCK_SECONDS:
        text = f"there are records of {newest - now:.0f} seconds from now: this clock is late, or was ahead"
        yield Finding(Grade.WRONG, text, "set it by NTP (chrony, systemd-timesyncd): expiry and retention go by it")
    else:
        yield Finding(Grade.WELL, f"it is {datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC, after all records")


def _newest_record(patient: Patient) -> float:
    if not patient.database.exists():
        return 0.0
    with patient.reading() as database:
        # By the key: times have no index, and the newest is among the last.
        last = "SELECT accepted_at FROM traffic ORDER BY id DESC LIMIT 1000"
        return float(database.execute(f"SELECT max(accepted_at) FROM ({last})").fetchone()[0] or 0)  # noqa: S608 - ours


def certificates(patient: Patient) -> Iterator[Finding]:
    """Whether they are good for some time."""
    for name in ("relay.crt", "desk.crt"):
        path = patient.data / name
        if not path.exists():
            continue
        left = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp() - patient.clock.now()
        advice = f"replace it with its key, and give the new {name} to all who trust it before the old one has expired"
        if left <= 0:
            yield Finding(Grade.WRONG, f"{name} has expired", advice)
        else:
            grade = Grade.WATCH if left < _CERTIFICATE_DAYS * DAY else Grade.WELL
            text = f"{name} is good for {left / DAY:.0f} more days"
            yield Finding(grade, text, advice if grade is Grade.WATCH else "")


def ports(patient: Patient) -> Iterator[Finding]:
    """Whether each of them answers, or, where the relay does not run, can be had."""
    settings, endpoint = patient.settings, patient.endpoint
    if endpoint is None:
        wanted = {"relay": settings.port, "desk": settings.desk_port, "public logs": settings.logs_port}
        for what, port in wanted.items():
            if port and _is_taken(settings.host, port):
                text = f"the relay does not run, and somebody else has {settings.host}:{port} ({what})"
                yield Finding(Grade.WRONG, text, "stop what uses it, or choose another port")
        yield Finding(Grade.WATCH, "the relay does not run", "start it: blindrelay up")
        return
    context = ssl.create_default_context(cafile=str(patient.data / endpoint.ca_certificate))
    for what, there in {"relay": endpoint.port, "desk": endpoint.desk_port, "public logs": endpoint.logs_port}.items():
        if there is not None:
            yield _answers(what, endpoint.host, there, context)


def _answers(what: str, host: str, port: int, context: ssl.SSLContext) -> Finding:
    try:
        with (
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host),
        ):
            return Finding(Grade.WELL, f"{what}: {host}:{port} answers, in TLS")
    except OSError as error:
        advice = "see the relay's log; one that hangs is started again, and loses nothing that it has acknowledged"
        return Finding(Grade.WRONG, f"{what}: {host}:{port} does not answer ({error})", advice)


def _is_taken(host: str, port: int) -> bool:
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            return False
    except OSError:
        return True


def open_files(patient: Patient) -> Iterator[Finding]:
    """Whether there may be as many as there may be connections."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = patient.settings.limits.max_connections + _OTHER_FILES
    if hard != resource.RLIM_INFINITY and hard < wanted:
        advice = f"raise the limit (systemd: LimitNOFILE={wanted}), or lower max_connections"
        yield Finding(Grade.WATCH, f"{hard} may be open: fewer connections than max_connections says", advice)
    else:
        yield Finding(Grade.WELL, "as many may be open as there may be connections")
