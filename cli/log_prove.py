"""`blindrelay log prove` and `verify`: proofs for others, and what becomes of them."""

import sys
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final
from uuid import UUID

import click
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.cli.bars import bar_of_items
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.log_names import Identities, certificates_of
from blindrelay.cli.log_options import LogReader, log_options
from blindrelay.cli.log_views import cosigners, fields_of, head_record
from blindrelay.cli.output import JSON_OPTION, complain, emit, printable
from blindrelay.cli.passphrase import passphrase_option
from blindrelay.cli.places import DeviceType, TenantType
from blindrelay.clients.auditor.audit import digest_of, read_receipt
from blindrelay.clients.auditor.log import Reading
from blindrelay.clients.authority.receipt import ReceiptRejected
from blindrelay.clients.authority.receipt import verify as verify_receipt
from blindrelay.clients.errors import NotPossible
from blindrelay.policies import leaves
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.certificates import fingerprint, public_key, subject_of
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.statements import DeviceStatement, Purpose
from blindrelay.protocol.transparency import directory
from blindrelay.protocol.transparency.entries import MAX_ENTRY
from blindrelay.protocol.transparency.note import MAX_NOTE
from blindrelay.protocol.transparency.policy import Trust, Witnessed
from blindrelay.protocol.transparency.proof import LogProof

_MAX_PROOF: Final = 2 * MAX_NOTE
_RECEIPT: Final = ".receipt.json"
_FILE: Final = click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path)
_NEW_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog="""\b
Examples:
  blindrelay log prove 17
  blindrelay log prove 17 --out 17.proof --entry 17.entry
  blindrelay log prove --device acme.example/alice/laptop > laptop.proof
  blindrelay log prove --tenant acme.example > acme.proof

\b
The proof is in the form of https://c2sp.org/tlog-proof: whoever has the log's policy verifies it without asking anybody.
"""
)
@log_options
@click.argument("index", type=click.IntRange(0), required=False)
@click.option(
    "--device", type=DeviceType(), help="The last statement of this device (of the home, or of its enterprise's CA)."
)
@click.option("--tenant", type=TenantType(), help="The root that was entered for this enterprise last.")
@click.option("--out", type=_NEW_FILE, help="Write the proof there.  [default: stdout]")
@click.option("--entry", type=_NEW_FILE, help="Write the entry itself there, too.")
@passphrase_option
def prove(
    log: LogReader,
    index: int | None,
    device: DeviceAddress | None,
    tenant: str | None,
    out: Path | None,
    entry: Path | None,
    passphrase_file: Path | None,
) -> None:
    """Print the proof that the entry INDEX is in the log, or the one about a device or an enterprise."""
    if sum(given is not None for given in (index, device, tenant)) != 1:
        raise click.UsageError("say what is to be proved: an INDEX, --device, or --tenant")
    wanted: int | Matches = index or 0
    if device is not None:
        wanted = _of_device(device, _certificates(device, Identities(log.home, passphrase_file)))
    elif tenant is not None:
        wanted = _of_tenant(tenant)
    proof, data = interruptible(_prove(log, wanted))
    if entry is not None:
        entry.write_bytes(data)
    if out is not None:
        out.write_bytes(proof.encode())
    else:
        sys.stdout.buffer.write(proof.encode())
        sys.stdout.flush()
    complain(f"the entry {proof.index} of {log.name}: {data.decode('utf-8', 'replace')}")


Matches = Callable[[directory.Entry], bool]


def _of_tenant(tenant: str) -> Matches:
    return lambda found: isinstance(found, directory.TenantEntered) and found.tenant == tenant


def _of_device(device: DeviceAddress, certificates: set[str]) -> Matches:
    return lambda found: isinstance(found, directory.DeviceStated) and found.certificate in certificates


def _certificates(device: DeviceAddress, identities: Identities) -> set[str]:
    ca = certificates_of(identities.home, device.tenant)
    if ca is None:
        return {fingerprint(identities.of_device(device).certificate).hex()}
    issued = {fingerprint(each).hex() for each in ca.issued if subject_of(each) == device}
    if not issued:
        raise NotPossible(f"{device.tenant} has enrolled no device {device}")
    return issued


async def _prove(log: LogReader, wanted: int | Matches) -> tuple[LogProof, bytes]:
    async with log.open() as public:
        reading = await public.newest()
        index = wanted if isinstance(wanted, int) else await _find(reading, wanted)
        if index >= reading.size:
            raise NotPossible(f"there is no entry {index}: {log.name} has {reading.size}, numbered from 0")
        return await reading.prove(index), await reading.tree.entry(index)


async def _find(reading: Reading, matches: Matches) -> int:
    """The index of the newest entry that matches."""
    entries = reading.tree.newest_first()
    with bar_of_items("looking for the entry") as progress:
        async with aclosing(entries):
            async for index, data in entries:
                progress(reading.size - index, reading.size)
                try:
                    if matches(directory.parse(data)):
                        return index
                except Malformed:
                    continue
    raise NotPossible(f"there is no such entry among the {reading.size} of this log")


@click.command(
    epilog="""\b
Examples:
  blindrelay log verify                                  every entry and every hash of the log
  blindrelay log verify 17.proof 17.entry
  blindrelay log verify laptop.proof --device acme.example/alice/laptop
  blindrelay log verify 17.proof 17.entry --policy directory.policy       without any relay
  blindrelay log verify --package d1.package             a disclosed package, by the receipt beside it

\b
Exit code 0 if it holds, 15 if it does not.
"""
)
@log_options
@click.argument("proof", type=_FILE, required=False)
@click.argument("entry", type=_FILE, required=False)
@click.option("--device", type=DeviceType(), help="Instead of ENTRY: what this device of the home has stated last.")
@click.option("--package", type=_FILE, help="A sealed package, by its receipt: is it in the log `lawful-access`?")
@passphrase_option
@JSON_OPTION
def verify(
    log: LogReader,
    proof: Path | None,
    entry: Path | None,
    device: DeviceAddress | None,
    package: Path | None,
    passphrase_file: Path | None,
    as_json: bool,
) -> int:
    """Verify that PROOF proves ENTRY to be in the log; or, without arguments, verify the whole log.

    The whole log: the checkpoint's signatures, that it continues the one that was seen last, each tile, and each entry. What
    does not fit is named.

    A proof is verified from its own bytes and the log's policy: the relay is asked nothing, unless nobody else has said what
    the policy is.
    """
    if package is not None:
        if proof is not None or device is not None:
            raise click.UsageError("--package goes with neither PROOF nor --device: its receipt has the proof")
        return _verify_package(log, package, as_json=as_json)
    if proof is None:
        if entry is not None or device is not None:
            raise click.UsageError("name the proof, too: blindrelay log verify PROOF ENTRY")
        return interruptible(_verify_all(log, as_json=as_json))
    if (entry is None) == (device is None):
        raise click.UsageError("say of what it is the proof: blindrelay log verify PROOF ENTRY, or --device")
    data = _stated(device, Identities(log.home, passphrase_file)) if device is not None else _read(entry, MAX_ENTRY + 1)
    parsed, trust = LogProof.parse(_read(proof, _MAX_PROOF)), interruptible(_policy(log))
    try:
        witnessed = parsed.verify(data.removesuffix(b"\n"), trust)
    except VerificationFailed as error:
        complain(f"{proof} does not prove that this is the entry {parsed.index} of {trust.log.name}: {error}")
        return ExitCode.LOG_REJECTED
    _tell_proved(parsed.index, witnessed, as_json=as_json)
    return ExitCode.OK


def _verify_package(log: LogReader, package: Path, *, as_json: bool) -> int:
    """The log has this very package, after its request and its decision."""
    path = package.with_suffix(_RECEIPT)
    if not path.exists():
        raise click.UsageError(f"{package} has no receipt beside it ({path.name}): ask the authority for it")
    log.name = leaves.NAME
    receipt, digest = read_receipt(path), digest_of(package)
    last = receipt.entries[-1] if receipt.entries else None
    try:
        witnessed = verify_receipt(
            receipt,
            interruptible(_policy(log)),
            case=last.opening.case if last else UUID(int=0),
            demand=(last.opening.demand if last else None) or "",
            package=digest,
        )
    except ReceiptRejected as error:
        complain(f"{package} is not accounted for: {error}")
        return ExitCode.LOG_REJECTED
    _tell_proved(last.index if last else 0, witnessed, as_json=as_json)
    return ExitCode.OK


def _read(path: Path | None, limit: int) -> bytes:
    with click.open_file(str(path), "rb") as file:
        data: bytes = file.read(limit)
        return data


def _stated(device: DeviceAddress, identities: Identities) -> bytes:
    """The entry that a device of the home should have, by its own key store."""
    own = identities.of_device(device)
    signed = own.statement()
    statement = signed.open_as(Purpose.STATEMENT, DeviceStatement, public_key(own.certificate))
    root, certificate = (each.public_bytes(Encoding.DER) for each in (own.root, own.certificate))
    return directory.device_stated(root, certificate, statement, signed).encode()


async def _policy(log: LogReader) -> Trust:
    if (known := log.known_policy()) is not None:
        return known
    async with log.open() as public:
        return public.trust


def _tell_proved(index: int, witnessed: Witnessed, *, as_json: bool) -> None:
    if as_json:
        emit({"index": index, **head_record(witnessed)})
        return
    head = witnessed.checkpoint
    click.echo(printable(f"the entry is in the log {head.origin}: number {index} of {head.size}"))
    click.echo(printable(f"cosigned by {cosigners(witnessed)}"))


async def _verify_all(log: LogReader, *, as_json: bool) -> int:
    async with log.open() as public:
        before = public.memory.checkpoint()
        reading = await public.newest()
        kinds: Counter[str] = Counter()
        with bar_of_items(f"verifying {reading.size} entries") as progress:
            async for index, data in reading.tree.entries():
                kinds[str(fields_of(data).get("kind", "unreadable"))] += 1
                if index % 256 == 255:
                    progress(index + 1, reading.size)
    if as_json:
        emit(
            {
                **head_record(reading.witnessed),
                "kinds": dict(kinds),
                "continues": None if before is None else before[0].size,
            }
        )
        return ExitCode.OK
    head = reading.tree.head
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    click.echo(printable(f"{head.origin}: all {head.size} entries are those that were signed ({counts or 'none'})"))
    click.echo(f"root {head.root.hex()}")
    click.echo(printable(f"cosigned by {cosigners(reading.witnessed)}"))
    seen = (
        "it was seen for the first time" if before is None else f"it continues the {before[0].size} entries seen before"
    )
    click.echo(seen)
    return ExitCode.OK
