"""A package has a field for remarks, where an operator can write whatever is known besides.

Modelled on parallel construction: tips beside the file that are not to be mentioned in it (Reuters on the DEA's
Special Operations Division, August 2013).
"""

import json
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk import package

    canonical = package.canonical

    def remarking(model: Any) -> bytes:
        values = json.loads(canonical(model))
        values["remark"] = "the sender is known to us from another case"
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    package.canonical = remarking


SABOTEUR = Saboteur(
    name="package-with-a-remark",
    title="the manifest of a package has a field for remarks",
    lock=Lock.FORM,
    modelled_on="tips beside the file (DEA Special Operations Division, Reuters, 2013)",
    caught_by=frozenset({("forms", "not-canonical")}),
    in_relay=_in_relay,
)
