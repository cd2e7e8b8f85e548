"""The saboteurs of every day: `blindrelay sabotage matrix --quick`.

The ten that pick a different lock each, or the same one in another way; then one for each check that none of them is for. A
test holds the list to that.
"""

from typing import Final

#: The ten.
FIRST: Final = (
    "noop-encryption-at-rest",
    "plaintext-in-log",
    "package-with-a-remark",
    "content-granted",
    "ghost-device",
    "key-substituted",
    "delivered-envelope-kept",
    "over-wide-window",
    "released-without-leaf",
    "subject-outside",
)
NAMES: Final = (*FIRST, "lazy-opener", "undeclared-column", "log-not-asked", "language-padding", "exact-length")
