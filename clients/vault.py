"""SIG"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cost:
    """What deriving the key from the passphrase costs: argon2id (RFC 9106), memory in KiB."""

    memory: int = 65_536
    iterations: int = 3
    lanes: int = 4


#: For tests alone.
CHEAP = Cost(memory=64, iterations=1, lanes=1)
