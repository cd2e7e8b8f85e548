"""The relay discloses, and its public log does not say so: neither that, nor that anybody had asked."""

import secrets
from datetime import datetime
from typing import Any

from blindrelay.policies.leaves import Accounts, OpenedEntry, PackageTold, Receipt, ReleaseTold
from blindrelay.proofs.attacks.court import AUDITOR, AUTHORITY, Court, in_court
from blindrelay.proofs.attacks.model import Attack, Noticed, Variant

_SILENT = frozenset({"packaged", "released"})


async def _without_an_entry(court: Court) -> Noticed | None:
    """The rows of package and release have no commitment, and the receipt is as good as it gets without."""
    journal, disclosures = court.desk.journal, court.disclosures
    append = journal.append

    def silently(case_id: str, authority: str, at: datetime, step: str, *rest: Any, **options: Any) -> Any:
        if step in _SILENT:
            rest, options = rest[:2], {}  # what follows says what the log has of the row
        return append(case_id, authority, at, step, *rest, **options)

    async def nothing_to_wait_for(*_: object) -> None:
        """It is not going to be published."""

    async def receipt(case_id: str, _demand: str) -> Receipt:
        await disclosures.log.publish()
        published = disclosures.log.published
        entries = (
            OpenedEntry(
                index=one.number,
                salt=one.salt,
                opening=one.opening,
                path=list(disclosures.log.inclusion(one.number, published)),
            )
            for one in journal.committed(case_id)
        )
        trust = disclosures.log.settings.trust
        return Receipt(policy=str(trust), checkpoint=published.note, entries=tuple(entries))

    court.begin()
    court.replace(journal, "append", silently)
    court.replace(disclosures, "wait_for_package", nothing_to_wait_for)
    court.replace(disclosures, "receipt", receipt)
    await court.approve()
    court.tell("the relay", "makes the package and hands it over, and writes neither into its log")
    return await court.open_package(await court.fetch("unlogged"))


async def _without_a_request(court: Court) -> Noticed | None:
    """Nobody has asked; what is logged begins with the package."""
    court.begin()
    case = secrets.token_hex(16)
    await court.enter(
        lambda index: PackageTold(index=index, case=case),
        lambda index: ReleaseTold(index=index, case=case, accounts=Accounts(at_least=1, at_most=1)),
    )
    court.tell("the relay", "has handed over a package that nobody had requested, and logs the package alone")
    return await court.audit()


async def _missing_in_the_report(court: Court) -> Noticed | None:
    await court.approve()
    await court.open_package(await court.fetch("reported"))
    court.begin()
    court.replace(court.desk.journal, "cases", lambda **_: [])
    court.tell("the relay", "publishes a transparency report in which there is no request")
    return await court.audit()


ATTACK = Attack(
    name="disclosure-unlogged",
    title="A disclosure is made without a log entry",
    gain="to hand records over so that nobody can ever count it",
    variants=(
        Variant(
            name="without-an-entry",
            does="The relay hands a package over that has no entry in its log.",
            party=AUTHORITY,
            check="package",
            play=in_court(_without_an_entry),
        ),
        Variant(
            name="without-a-request",
            does="The relay hands a package over that nobody has requested, and logs the package alone.",
            party=AUDITOR,
            check="accounts",
            play=in_court(_without_a_request),
        ),
        Variant(
            name="not-in-the-report",
            does="The relay logs a disclosure, and leaves it out of its transparency report.",
            party=AUDITOR,
            check="report",
            play=in_court(_missing_in_the_report),
        ),
    ),
)
