"""Copying, and comparing.

The order of it: nothing is written before the target is known to be empty and alone; nothing is committed before it has been
read back and compared. So whatever interrupts it, a killed process and a lost connection included, leaves the target empty. The
old database is opened for reading alone.
"""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from blindrelay.protocol.clock import Clock
from blindrelay.relay import files
from blindrelay.relay.copying.beside import beside
from blindrelay.relay.copying.comparing import compare
from blindrelay.relay.copying.logs import copy_log, verify_log
from blindrelay.relay.copying.report import Report
from blindrelay.relay.copying.shapes import SHAPES, Row
from blindrelay.relay.copying.source import Source, open_source
from blindrelay.relay.copying.target import Target
from blindrelay.relay.datadir import MOVED
from blindrelay.relay.errors import CopyDiffers
from blindrelay.relay.store.postgres.address import Address

#: Told how many rows are done, of about how many.
Told = Callable[[int, int], None]
# One is told so often: a progress bar has its price.
_EVERY: Final = 1_000


def copy(
    data: Path, address: Address, clock: Clock, *, copying: Told = lambda *_: None, comparing: Told = lambda *_: None
) -> Report:
    """Move the state of the relay in `data` to the empty database at `address`. From then on no relay starts on the old one.

    Raises:
        DataDirectoryInUse, NeedsMigration, NewerVersion, Unreadable: see `open_source`.
        StoreUnreachable, NeedsMigration, NewerVersion, StoreInUse, TargetNotEmpty: see `Target`.
        CopyDiffers: what was written is not what was read.
    """
    with open_source(data) as source, Target.open(address) as target:
        target.refuse_full()
        target.make_days(source.days(clock.now()))
        with target.transaction():
            done = _Counted(copying, source.total())
            for shape in SHAPES:
                target.put(shape, map(done.one, source.rows(shape)))
            copy_log(source, target)
            numbers = source.numbers()
            target.go_on_from(numbers)
            report = _compare(source, target, comparing)
        files.write_durably(data / MOVED, f"{address}\n".encode())
        target.analyze()
    return report


def verify(data: Path, address: Address, *, comparing: Told = lambda *_: None) -> Report:
    """Compare the two once more; what it raises, as `copy`. After a relay has run on the new one they differ."""
    with open_source(data, moved=True) as source, Target.open(address) as target:
        return _compare(source, target, comparing)


def _compare(source: Source, target: Target, told: Told) -> Report:
    done = _Counted(told, source.total())
    compared = []
    for shape in SHAPES:
        # Closed at the first difference: the connection is still sending.
        with closing(source.rows(shape)) as before, closing(target.rows(shape)) as after:
            compared.append(compare(shape, before, after, done.told))
    log = verify_log(source, target)
    numbers = source.numbers()
    following = target.next_numbers(numbers)
    for name, last in numbers.items():
        if following[name] <= last:
            raise CopyDiffers(f"{name} would go on at {following[name]}, and {last} has been given")
    return Report(tuple(compared), log, following, beside(source.data))


class _Counted:
    """Tells how many have gone by."""

    def __init__(self, told: Told, of: int) -> None:
        self._told = told
        self._of = of
        self._count = 0

    def one(self, row: Row) -> Row:
        """This one goes by."""
        self.told()
        return row

    def told(self) -> None:
        """One has gone by."""
        self._count += 1
        if self._count % _EVERY == 0 or self._count == self._of:
            self._told(self._count, self._of)
