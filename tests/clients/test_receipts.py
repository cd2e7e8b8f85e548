"""Receipts: how far a letter has come, and waiting for it."""

import asyncio
import gc

import pytest

from blindrelay.clients.errors import DeliveryRefused, TimedOut
from blindrelay.clients.receipts import Receipt, Receipts, Stage
from blindrelay.protocol.address import DeviceAddress

PHONE = DeviceAddress("globex.example", "bob", "phone")
DESK = DeviceAddress("globex.example", "bob", "desk")
CAROL = DeviceAddress("globex.example", "carol", "phone")


def receipt_for(*devices: DeviceAddress, parts: int = 1) -> Receipt:
    """A receipt of a letter that has not left yet."""
    return Receipt(b"i" * 16, dict.fromkeys(devices, Stage.WAITING), parts)


async def test_a_person_has_what_one_of_their_devices_has() -> None:
    """The furthest device counts for a person, the slowest person for the letter."""
    receipt = receipt_for(PHONE, DESK, CAROL)
    receipt.reach(PHONE, Stage.READ)
    assert receipt.users == {PHONE.owner: Stage.READ, CAROL.owner: Stage.WAITING}
    assert receipt.stage is Stage.WAITING
    receipt.reach(CAROL, Stage.DELIVERED)
    assert (await receipt.delivered(1)) is receipt


async def test_stages_never_go_back() -> None:
    """A late "delivered" does not undo "read", and is no news."""
    receipt = receipt_for(PHONE)
    assert receipt.reach(PHONE, Stage.READ)
    assert not receipt.reach(PHONE, Stage.DELIVERED)
    assert receipt.stage is Stage.READ


async def test_a_letter_in_parts_is_accepted_with_the_last_one() -> None:
    """The relay has a letter when it has all of its envelopes."""
    receipt = receipt_for(PHONE, parts=2)
    assert not receipt.part_accepted(PHONE)
    assert receipt.stage is Stage.WAITING
    assert receipt.part_accepted(PHONE)
    assert receipt.stage is Stage.ACCEPTED


async def test_refused_for_all_devices_of_somebody_is_an_error_of_every_wait() -> None:
    """One refused device is no failure while another of the same person takes the letter."""
    receipt = receipt_for(PHONE, DESK)
    receipt.refuse(PHONE, DeliveryRefused(str(PHONE), 0x87, "revoked"))
    receipt.reach(DESK, Stage.DELIVERED)
    await receipt.delivered(1)
    alone = receipt_for(PHONE)
    waiting = asyncio.create_task(alone.read())
    await asyncio.sleep(0)
    alone.refuse(PHONE, DeliveryRefused(str(PHONE), 0x87, "revoked"))
    with pytest.raises(DeliveryRefused, match="revoked"):
        await waiting


async def test_time_is_up_says_how_far_it_came() -> None:
    """The error of a wait names what was waited for and what is."""
    receipt = receipt_for(PHONE)
    receipt.reach(PHONE, Stage.ACCEPTED)
    with pytest.raises(TimedOut, match=r"not delivered within 0 s; it is accepted"):
        await receipt.delivered(0)


async def test_only_held_receipts_are_followed() -> None:
    """An application that forgets a receipt does not pay for it; one that asks again gets the same."""
    receipts = Receipts()
    held = receipts.open(b"a" * 16, [PHONE], 1)
    receipts.open(b"b" * 16, [PHONE], 1)
    gc.collect()
    assert receipts.find(b"a" * 16) is held
    assert receipts.find(b"b" * 16) is None
