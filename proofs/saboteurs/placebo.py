"""Sabotages nothing: the honest system, run in just the way in which saboteurs are. Whatever is found then has found nobody."""

from typing import Final

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur

#: What processes find it by: it is no saboteur, and not in the catalogue.
FILE: Final = __file__
SABOTEUR: Final = Saboteur(
    name="placebo",
    title="nothing at all",
    lock=Lock.KEYS,
    modelled_on="controlled trials",
    caught_by=frozenset(),
)
