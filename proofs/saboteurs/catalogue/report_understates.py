"""The transparency report says that nobody's records have left.

Modelled on the wiretaps that US providers counted and courts did not (Gidari: Wiretap Reports Not So Transparent,
2017): the log that everybody can read says something else.
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import leaves, report  # noqa: F401 - the log goes on telling the truth

    report.disclosed = lambda _case: frozenset()


SABOTEUR = Saboteur(
    name="report-understates",
    title="the transparency report counts no account of which records have left",
    lock=Lock.ACCOUNTABILITY,
    modelled_on="wiretaps that reports did not count (Gidari, 2017)",
    caught_by=frozenset({("leaves", "report")}),
    in_relay=_in_relay,
)
