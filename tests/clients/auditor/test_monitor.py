"""Following a log (`clients/auditor/monitor.py`): once found, found until it is put right."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from blindrelay.clients.auditor.monitor import Monitor, Seen
from blindrelay.clients.auditor.watch import Own
from blindrelay.clients.errors import LogRejected, NotPossible, StoreDamaged
from blindrelay.protocol.transparency.directory import DeviceStated
from blindrelay.protocol.transparency.entries import Bundle
from support.public_log import LogSite

from .conftest import Audit

LABEL = sha256(b"an account").hexdigest()
OWN = Own("acme.example", sha256(b"root").hexdigest(), None, {}, frozenset(), frozenset())


def certificate(name: str) -> str:
    return sha256(name.encode()).hexdigest()


def device(name: str, sequence: int = 1, tenant: str = "acme.example") -> bytes:
    return DeviceStated(
        archive=False, tenant=tenant, account=LABEL, certificate=certificate(name), sequence=sequence, statement=LABEL
    ).encode()


def knowing(*names: str) -> Callable[[], Own]:
    """An enterprise that has enrolled these."""
    return lambda: replace(OWN, devices=dict.fromkeys(map(certificate, names), LABEL))


async def look(audit: Audit, own: Callable[[], Own] | None, name: str = "acme.example") -> tuple[list[Seen], list[int]]:
    """One look, in a process of its own as it were: what was new, and what is found."""
    async with audit() as log:
        monitor = Monitor(log, name, own)
        seen = [each async for each in monitor.look()]
    return seen, [finding.index for finding in monitor.findings]


async def test_a_device_that_nobody_enrolled_is_found_when_it_comes(site: LogSite, audit: Audit) -> None:
    """With its index and certificate; what is about others is passed over."""
    await site.show([device("laptop"), device("strange", tenant="globex.example")])
    seen, found = await look(audit, knowing("laptop"))
    assert ([each.index for each in seen], found) == ([0], [])

    await site.add(device("other", tenant="globex.example"), device("strange"))
    (ghost,), found = await look(audit, knowing("laptop"))
    assert found == [ghost.index] == [3]
    assert ghost.finding is not None
    assert (ghost.finding.check, ghost.finding.certificate) == ("device", certificate("strange"))
    assert ghost.finding.reason.startswith("entry 3: ")


async def test_nothing_is_read_twice_and_nothing_found_is_forgotten(site: LogSite, audit: Audit) -> None:
    """The next look begins where the last one ended, and what was wrong is wrong still."""
    await site.show([device("strange")])
    assert (await look(audit, knowing()))[1] == [0]
    assert await look(audit, knowing()) == ([], [0])


async def test_what_is_put_right_is_not_wrong_any_more(site: LogSite, audit: Audit) -> None:
    """The CA knows the certificate after all: its folder was an old copy."""
    await site.show([device("strange"), device("ghost")])
    assert (await look(audit, knowing()))[1] == [0, 1]
    assert (await look(audit, knowing("strange")))[1] == [1]
    assert (await look(audit, knowing()))[1] == [1]


async def test_what_was_dealt_with_is_dismissed(site: LogSite, audit: Audit) -> None:
    """That entry alone; and only what is open can be."""
    await site.show([device("strange"), device("ghost")])
    await look(audit, knowing())
    async with audit() as log:
        assert (await Monitor(log, "acme.example", knowing()).dismiss(0)).index == 0
        with pytest.raises(NotPossible, match=r"entry 0; what is open: 1$"):
            await Monitor(log, "acme.example", knowing()).dismiss(0)
    assert (await look(audit, knowing()))[1] == [1]


async def test_history_is_followed_over_looks(site: LogSite, audit: Audit) -> None:
    """An old statement that comes again a week later is found, and knowing the certificate does not make it right."""
    await site.show([device("laptop", sequence=9)])
    await look(audit, knowing("laptop"))
    await site.add(device("laptop", sequence=8))
    assert (await look(audit, knowing("laptop")))[1] == [1]
    assert (await look(audit, knowing("laptop")))[1] == [1]


async def test_a_look_that_is_broken_off_is_taken_up_where_it_was(site: LogSite, audit: Audit) -> None:
    """What had been read has been read: nothing is judged twice, as if it had come again."""
    await site.show([device("laptop", sequence=1), device("laptop", sequence=2), device("laptop", sequence=3)])
    async with audit() as log:
        entries = Monitor(log, "acme.example", knowing("laptop")).look()
        assert (await anext(entries)).index == 0
        assert (await anext(entries)).index == 1
        await entries.aclose()
    seen, found = await look(audit, knowing("laptop"))
    assert ([each.index for each in seen], found) == ([2], [])


async def test_a_log_that_does_not_hold_ends_the_look_and_what_came_before_is_remembered(
    site: LogSite, audit: Audit
) -> None:
    """Entries before the one that was changed were verified: the next look begins there."""
    await site.show([device("laptop", number + 1) for number in range(300)])
    site.rewrite(Bundle(1, 44), lambda entries: [b"another", *entries[1:]])
    with pytest.raises(LogRejected, match="the entry 256"):
        await look(audit, knowing("laptop"))
    site.rewrite(Bundle(1, 44), lambda entries: [device("laptop", 257), *entries[1:]])
    seen, found = await look(audit, knowing("laptop"))
    assert (seen[0].index, len(seen), found) == (256, 44, [])


async def test_monitors_of_several_do_not_disturb_each_other(site: LogSite, audit: Audit) -> None:
    """Each has read as far as it has read."""
    await site.show([device("laptop")])
    assert len((await look(audit, knowing("laptop")))[0]) == 1
    assert len((await look(audit, None, "everything"))[0]) == 1
    assert (await look(audit, knowing("laptop")))[0] == []


async def test_without_anybody_to_watch_over_every_entry_is_of_interest(site: LogSite, audit: Audit) -> None:
    """Of whatever log, and in whatever form."""
    await site.show([device("laptop"), b"of another log"])
    seen, found = await look(audit, None)
    assert ([each.data for each in seen], found) == ([device("laptop"), b"of another log"], [])


async def test_an_entry_of_an_unknown_form_is_shown(site: LogSite, audit: Audit) -> None:
    """It is no device that a client would accept; but it is not hidden from whoever watches."""
    await site.show([device("strange") + b" "])
    (seen,), found = await look(audit, knowing())
    assert (seen.entry, found) == (None, [])


async def test_a_damaged_memory_is_said(site: LogSite, audit: Audit, tmp_path: Path) -> None:
    """It is not taken for a monitor that has read nothing yet."""
    await site.show([device("laptop")])
    await look(audit, knowing("laptop"))
    (file,) = (tmp_path / "auditor").glob("*/monitor-acme.example.json")
    file.write_text('{"next": -1}')
    with pytest.raises(StoreDamaged, match="monitor-acme"):
        await look(audit, knowing("laptop"))
