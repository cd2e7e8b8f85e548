"""The transparency report says that nobody's records have left.

Modelled on reports that count what suits: the log that everybody can read says something else.
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
    modelled_on="transparency reports that nobody can check",
    caught_by=frozenset({("leaves", "report")}),
    in_relay=_in_relay,
)
