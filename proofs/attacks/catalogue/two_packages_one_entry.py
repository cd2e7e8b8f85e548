"""The relay makes two packages for one entry of its log: the one that may be looked at, and another one that is handed over."""

from pathlib import Path
from typing import Any

from blindrelay.clients.auditor.audit import Disclosed
from blindrelay.proofs.attacks.court import AUDITOR, AUTHORITY, Court, in_court
from blindrelay.proofs.attacks.model import Attack, Noticed, Variant


async def _make_another(court: Court) -> None:
    """Have the package made by the desk, logged, and made once more in its place."""
    packages = court.desk._ports.packages
    write, orders = packages.write, []

    def noting(order: Any, out: Path) -> Any:
        orders.append(order)
        return write(order, out)

    court.replace(packages, "write", noting)
    await court.approve()
    first = court.package.read_bytes()
    (court.folder / "first.package").write_bytes(first)
    court.begin()
    write(orders[0], court.package)

    async def unchecked(*_: object) -> Path:
        return court.package

    court.replace(court.desk, "fetch", unchecked)
    court.tell("the relay", "has logged a package, and hands another one over")


async def _handed_over(court: Court) -> Noticed | None:
    await _make_another(court)
    return await court.open_package(await court.fetch("second"))


async def _shown_to_an_auditor(court: Court) -> Noticed | None:
    await _make_another(court)
    second = await court.fetch("second")
    first = Disclosed(court.folder / "first.package", second.receipt)
    return await court.audit(first, second)


ATTACK = Attack(
    name="two-packages-one-entry",
    title="Two packages are made under one entry",
    gain="to hand over more than what the log, and whoever looks into it, is shown",
    variants=(
        Variant(
            name="handed-over",
            does="The relay hands the authority another package than the one whose digest is in the log.",
            party=AUTHORITY,
            check="package",
            play=in_court(_handed_over),
        ),
        Variant(
            name="shown-to-an-auditor",
            does="Both packages come to light, with one receipt.",
            party=AUDITOR,
            check="package",
            play=in_court(_shown_to_an_auditor),
        ),
    ),
)
