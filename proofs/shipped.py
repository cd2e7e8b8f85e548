"""What a release brings with it about itself."""

from pathlib import Path
from typing import Final

#: The kill matrix of this release, as `blindrelay sabotage matrix --out` has written it.
KILL_MATRIX: Final = Path(__file__).parent / "kill-matrix.json"
