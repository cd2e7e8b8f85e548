"""A witness that is asked the same things each time, in a process that somebody kills.

    python -m support.witness_writer FOLDER KEY        KEY is the log's private key

It says `cosigned SIZE ROOT` when a cosignature may leave, with the line of the signature behind it.
"""

import sys
from pathlib import Path

from blindrelay.protocol.transparency.checkpoint import Checkpoint
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.note import Note, parse_signatures

from .party import HandClock
from .witnessed import Operator, Released, cosigner_in

#: Old size and new size of what the log asks, one after the other.
STEPS = ((0, 1), (1, 3), (3, 3), (3, 8))


def main(folder: str, key: str) -> None:
    """Make a witness, and ask it everything."""
    operator = Operator(SigningKey.parse(key))
    with cosigner_in(Path(folder), HandClock(), operator.key.verifier) as cosigner:
        print("open", flush=True)  # noqa: T201
        for old, new in STEPS:
            head, signatures = cosigner.submit(operator.submission(old, new))
            print(f"cosigned {head.size} {head.root.hex()}", "".join(map(str, signatures)), end="", flush=True)  # noqa: T201


def reported(output: str, operator: Operator, released: Released) -> None:
    """Add what left, by the output of `main`. A line that was cut off has not."""
    for line in output.split("\n")[:-1]:
        if line.startswith("cosigned "):
            _, size, root, signature = line.split(" ", 3)
            head = Checkpoint(operator.key.name, int(size), bytes.fromhex(root))
            released.add(Note(head.text), parse_signatures(signature + "\n"))


if __name__ == "__main__":
    main(*sys.argv[1:])
