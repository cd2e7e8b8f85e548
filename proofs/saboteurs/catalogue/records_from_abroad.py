"""An order of one country gives the records of people in another one.

Modelled on the warrant for a mailbox in Dublin (United States v. Microsoft, 2013 to 2018), and on what the CLOUD Act
made of it.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import gates
    from blindrelay.policies.matter import Matter

    gates._elsewhere = lambda matter, demand_id: ""
    jurisdictions = Matter.jurisdictions
    Matter.is_ours = lambda self, found: True
    Matter.jurisdictions = lambda self, found: (
        jurisdictions(self, found) | ({self.pack.manifest.jurisdiction} if self.pack else set())
    )


SABOTEUR = Saboteur(
    name="records-from-abroad",
    title="orders reach people of another jurisdiction",
    lock=Lock.POLICY,
    modelled_on="a warrant for a mailbox abroad (United States v. Microsoft, 2013 to 2018)",
    caught_by=frozenset({("policy", "abroad")}),
    in_relay=_in_relay,
)
