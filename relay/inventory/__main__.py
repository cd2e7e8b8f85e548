"""`python -m blindrelay.relay.inventory PATH` writes the reference page."""

import sys
from pathlib import Path

from blindrelay.relay.inventory import page

if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
