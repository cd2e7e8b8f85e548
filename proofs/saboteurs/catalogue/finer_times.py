"""Times in a package are finer than the relay says that it keeps them.

Modelled on times that are finer than anybody needs, by which records of one place are matched with those of another
(de Montjoye et al.: Unique in the Crowd, 2013).
"""

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies import package

    text = package._text
    package._text = lambda seconds: text(seconds).replace("Z", ".250000Z")


SABOTEUR = Saboteur(
    name="finer-times",
    title="packages have times of a fraction of a second",
    lock=Lock.FORM,
    modelled_on="times by which records are matched (de Montjoye et al., 2013)",
    caught_by=frozenset({("forms", "granularity")}),
    in_relay=_in_relay,
)
