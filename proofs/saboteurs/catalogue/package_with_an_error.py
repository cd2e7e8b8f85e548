"""When a package is made, an error's page is packed with it.

Modelled on exports that hold stack traces and SQL, and on the e-mail that answers with the whole thread below.
"""

import traceback
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.package import FRAME
    from blindrelay.relay.desk import package

    write_class = package._write_class

    def failing(chosen: Any, reader: Any, sealer: Any, gone_through: Any) -> Any:
        page = "".join(traceback.format_stack()).encode()
        sealer.write(FRAME.pack(99, len(page)))
        sealer.write(page)
        return write_class(chosen, reader, sealer, gone_through)

    package._write_class = failing


SABOTEUR = Saboteur(
    name="package-with-an-error",
    title="a package holds one more file, with the text of an error",
    lock=Lock.FORM,
    modelled_on="error pages and stack traces in exported files (CWE-209)",
    caught_by=frozenset({("forms", "unknown-file")}),
    in_relay=_in_relay,
)
