"""The relay that is built has one module more than the source: it can open what it is given a key for.

No import contract sees it, for it is not in the repository. Modelled on SolarWinds (2020) and on xz (CVE-2024-3094):
what was reviewed is not what runs.
"""

import sys
import tempfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    path = Path(tempfile.mkdtemp(prefix="build-")) / "extras.py"
    path.write_text("def read(cipher, nonce, envelope):\n    return cipher.decrypt(nonce, envelope, None)\n")
    specification = spec_from_file_location("blindrelay.relay.extras", path)
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[specification.name] = module_from_spec(specification)
    specification.loader.exec_module(module)


SABOTEUR = Saboteur(
    name="opener-in-the-build",
    title="the build adds a module to the relay that decrypts",
    lock=Lock.KEYS,
    modelled_on="what is built is not what was reviewed (SolarWinds, 2020; xz, 2024)",
    caught_by=frozenset({("isolation", "opening-call")}),
    in_relay=_in_relay,
)
