"""Clients write to all of somebody's devices, and show all but one of them.

Modelled on what the ghost proposal says of people's screens: "suppressing a notification on a target's device" (Levy
and Robinson: Principles for a More Informed Exceptional Access Debate, 2018).
"""

import dataclasses
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_clients() -> None:
    from blindrelay.clients.contacts import Contacts

    every = Contacts.all

    def all_but_one(self: Contacts) -> list[Any]:
        return [
            dataclasses.replace(contact, devices=tuple(contact.devices)[:1])
            if contact.user.user == "alice"
            else contact
            for contact in every(self)
        ]

    Contacts.all = all_but_one


SABOTEUR = Saboteur(
    name="device-not-shown",
    title="clients write to a device that they do not show",
    lock=Lock.KEYS,
    modelled_on="the ghost proposal: a notification that is suppressed (Levy and Robinson, 2018)",
    caught_by=frozenset({("wire", "unseen")}),
    in_clients=_in_clients,
)
