"""What a view is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import APIRouter

from blindrelay.console.rights import Right

if TYPE_CHECKING:
    from blindrelay.console.desktop import Desktop


def _nothing(_: "Desktop") -> APIRouter:
    return APIRouter()


@dataclass(frozen=True, slots=True)
class View:
    """One page of the console.

    Attributes:
        name: of its page (`/<name>`), its template and its module.
        title: what it is called.
        summary: what it shows, in a sentence for people who have not seen it.
        needs: the right without which it is not shown.
        routes: what it asks for below `/api/<name>`. Each route says what right it needs (`access.needs`).
    """

    name: str
    title: str
    summary: str
    needs: Right
    routes: "Callable[[Desktop], APIRouter]" = _nothing
