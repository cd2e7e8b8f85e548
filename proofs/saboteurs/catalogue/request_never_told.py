"""The public log tells of decisions and packages, and never that anybody had asked.

Modelled on parallel construction: what came of a request is shown, and where it began is not (Reuters, August 2013;
Human Rights Watch: Dark Side, 2018).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import leaves
    from blindrelay.relay.desk.journal import Journal

    tell = Journal.tell

    def without_requests(self: Journal, number: int, entry: bytes) -> None:
        if not isinstance(leaves.parse(entry), leaves.RequestTold):
            tell(self, number, entry)

    Journal.tell = without_requests


SABOTEUR = Saboteur(
    name="request-never-told",
    title="the public log tells of decisions without the requests before them",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="parallel construction (Reuters, 2013; Human Rights Watch, 2018)",
    caught_by=frozenset({("leaves", "disorder")}),
    in_relay=_in_relay,
)
