"""What running a command line comes to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ran:
    """Exit code, stdout, stderr."""

    code: int
    out: str
    err: str
