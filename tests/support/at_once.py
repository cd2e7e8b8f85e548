"""Work that is done at the same time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def at_once(*work: Callable[[], T]) -> list[T]:
    """Do each in a thread of its own; what they return, or the first error."""
    with ThreadPoolExecutor(len(work)) as pool:
        return [each.result() for each in [pool.submit(one) for one in work]]
