"""When service is back, and when memory is bounded."""

from blindrelay.proofs.chaos.journal import Entry, Kind
from blindrelay.proofs.chaos.matrix.service import Recovery, Sample, recovery, too_late, unbounded
from blindrelay.proofs.chaos.oracle import Invariant

MIB = 1_048_576


def served(client: str, acked: float, handed: float) -> list[Entry]:
    """A client that got a PUBACK, and a message."""
    return [Entry(acked, Kind.ACKED, client, 1), Entry(handed, Kind.HANDED, client, 1)]


class TestRecovery:
    """How long it took."""

    def test_it_is_the_last_device_that_counts(self) -> None:
        """In both directions."""
        found = recovery("f", [*served("a", 10.5, 12.0), *served("b", 13.0, 11.0)], 10.0, ["a", "b"])
        assert (found.acknowledged, found.delivered, found.seconds) == (3.0, 2.0, 3.0)

    def test_what_was_before_the_end_of_the_fault_does_not_count(self) -> None:
        """Somebody who was served while it lasted has to be served again."""
        found = recovery("f", [*served("a", 9.0, 9.5), *served("a", 14.0, 15.0)], 10.0, ["a"])
        assert (found.acknowledged, found.delivered) == (4.0, 5.0)

    def test_one_who_is_never_served_is_too_many(self) -> None:
        """However well the others do."""
        found = recovery("f", served("a", 10.1, 10.2), 10.0, ["a", "b"])
        assert not found.is_whole
        (finding,) = too_late([found])
        assert finding.invariant is Invariant.I10

    def test_ten_seconds_are_allowed(self) -> None:
        """And not eleven."""
        assert too_late([Recovery("f", 10.0, 9.0)]) == []
        (finding,) = too_late([Recovery("f", 2.0, 10.1)])
        assert "10.1 s" in str(finding)

    def test_a_crowd_has_to_be_there_as_soon(self) -> None:
        """Whoever is served counts for nothing while others are not let in."""
        assert too_late([Recovery("f", 2.0, 2.0, crowd=9.9)]) == []
        (slow,) = too_late([Recovery("f", 2.0, 2.0, crowd=10.1)])
        assert "10.1 s" in str(slow)
        (never,) = too_late([Recovery("f", 2.0, 2.0, crowd=None)])
        assert "not everybody was served" in str(never)


class TestMemory:
    """What nodes take."""

    def test_some_more_than_when_idle_is_allowed(self) -> None:
        """Allocators keep what they once had; connections cost something."""
        assert unbounded([Sample(1.0, "n1", 180 * MIB)], {"n1": 90 * MIB}, 10) == []
        assert unbounded([Sample(1.0, "n1", 300 * MIB)], {"n1": 90 * MIB}, 2_000) == []

    def test_much_more_is_not_even_for_a_moment(self) -> None:
        """It is the highest sample that counts."""
        samples = [Sample(1.0, "n1", 90 * MIB), Sample(1.2, "n2", 400 * MIB), Sample(1.4, "n2", 90 * MIB)]
        (finding,) = unbounded(samples, {"n1": 90 * MIB, "n2": 90 * MIB}, 10)
        assert "n2 took 400 MiB" in str(finding)
