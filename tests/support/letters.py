"""Traffic of people of whom it is known who wrote what."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace

from blindrelay.proofs.traffic.records import Kind, Seen, Traffic, Truth

HOUR = 3_600.0


def answered(pairs: int, letters: int, after: Callable[[random.Random], float], seed: int = 1) -> Traffic:
    """In each pair one writes and the other answers with a receipt, `after` so many seconds. No sender is written down."""
    chance = random.Random(seed)

    def passed() -> Iterator[tuple[Seen, Truth]]:
        for pair in range(pairs):
            writer, reader = f"x/w{pair}/a", f"x/r{pair}/a"
            for number in range(letters):
                at, name = chance.uniform(0, 10 * HOUR), f"{pair}/{number}"
                yield Seen(at, None, reader, 2_048), Truth(writer, Kind.LETTER, 100, name)
                yield Seen(at + after(chance), None, writer, 2_048), Truth(reader, Kind.RECEIPT, 100, name)

    return Traffic.of(passed())


def unrelated(people: int, letters: int, seed: int = 1) -> Traffic:
    """Everybody writes to anybody, at any time, and nobody answers."""
    chance = random.Random(seed)

    def passed() -> Iterator[tuple[Seen, Truth]]:
        for number in range(letters):
            writer, reader = chance.sample(range(people), 2)
            at = chance.uniform(0, 100 * HOUR)
            yield Seen(at, None, f"x/p{reader}/a", 2_048), Truth(f"x/p{writer}/a", Kind.LETTER, 100, str(number))

    return Traffic.of(passed())


def with_names(traffic: Traffic) -> Traffic:
    """The same in the posture `standard`."""
    return Traffic.of((replace(seen, sender=truth.sender), truth) for seen, truth in traffic)
