"""The tree of the relay's errors."""

from blindrelay.protocol.errors import BlindrelayError
from blindrelay.relay import errors
from blindrelay.relay.errors import ExitStatus, RelayError, StartupError


def test_every_error_is_one_of_ours() -> None:
    """Whoever catches `BlindrelayError` catches them all."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, BlindrelayError) for kind in kinds)
    assert all(issubclass(kind, RelayError) for kind in kinds if kind is not BlindrelayError)


def test_every_reason_not_to_start_has_its_exit_status() -> None:
    """A supervisor can tell them apart by number; none of them is 0 or 1."""
    statuses = [kind.exit_status for kind in StartupError.__subclasses__()]
    assert len(set(statuses)) == len(statuses)
    assert not {*statuses, errors.StoreFailed.exit_status} & {ExitStatus.OK, 1}
