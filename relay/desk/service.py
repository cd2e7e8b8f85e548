"""The service in a jurisdiction: in operation, announced to be suspended, suspended.

    RUNNING, RESCINDED --announce--> NOTICED --suspend--> SUSPENDED --resume--> RUNNING
    RUNNING, RESCINDED ------------suspend-------------> SUSPENDED --rescind--> RESCINDED
                                     NOTICED --extend--> NOTICED (another date)
                                     NOTICED --rescind--> RESCINDED

An authority's order announces; that its date has passed suspends nobody. Somebody has to say so (`suspend`), or move the date,
or take the order back: until then the state is NOTICED and overdue, and shows. So no country goes dark because nobody looked.

No state of it gives data to anybody, and none is an input to a decision about data.

Each change is a row, durable before it has an effect, and is told to everybody whose tenant is there. What a suspension does is
in `blindrelay.relay.suspension`.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import uuid4

import sqlalchemy
import structlog
from sqlalchemy import select

from blindrelay.policies.vocabulary import ServiceAction
from blindrelay.protocol.clock import Clock
from blindrelay.relay.desk.errors import NotAllowed
from blindrelay.relay.desk.notices import NoticeBoard, Store, service_notice
from blindrelay.relay.desk.ports import ServiceOrder
from blindrelay.relay.store import tables
from blindrelay.relay.suspension import Suspensions

_log = structlog.get_logger()
_change = tables.service_change.c
_NOTE: Final = 1_000
#: Whose order it is towards users when nobody ordered it: which person of the operator's did it is for the desk alone.
OPERATOR: Final = "the operator of this relay"


class State(StrEnum):
    """Where the service in a jurisdiction stands."""

    RUNNING = "running"
    NOTICED = "noticed"  #: to be suspended from a date on
    SUSPENDED = "suspended"
    RESCINDED = "rescinded"  #: in operation, after an order that was taken back


class Move(StrEnum):
    """What can be done to it."""

    ANNOUNCE = "announce"
    EXTEND = "extend"
    SUSPEND = "suspend"
    RESCIND = "rescind"
    RESUME = "resume"


#: Every transition that there is.
TRANSITIONS: Final[Mapping[State, Mapping[Move, State]]] = {
    State.RUNNING: {Move.ANNOUNCE: State.NOTICED, Move.SUSPEND: State.SUSPENDED},
    State.NOTICED: {
        Move.ANNOUNCE: State.NOTICED,  # another order, another date
        Move.EXTEND: State.NOTICED,
        Move.SUSPEND: State.SUSPENDED,
        Move.RESCIND: State.RESCINDED,
    },
    State.SUSPENDED: {Move.RESCIND: State.RESCINDED, Move.RESUME: State.RUNNING},
    State.RESCINDED: {Move.ANNOUNCE: State.NOTICED, Move.SUSPEND: State.SUSPENDED},
}
#: The moves that need a date.
_DATED: Final = frozenset({Move.ANNOUNCE, Move.EXTEND})
#: What an authority's order does. Only a person of the operator's suspends.
_ORDERED: Final[Mapping[ServiceAction, Move]] = {
    ServiceAction.SUSPEND: Move.ANNOUNCE,
    ServiceAction.EXTEND: Move.EXTEND,
    ServiceAction.RESCIND: Move.RESCIND,
    ServiceAction.RESUME: Move.RESUME,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the history. `move` that changed nothing (an order that came too late) has the state of before."""

    key: str
    jurisdiction: str
    move: Move
    state: State
    effective: datetime | None
    changed_at: datetime
    made_by: str
    note: str

    @property
    def is_ordered(self) -> bool:
        """Whether an authority's order did it, whose key names case and demand; else a person of the operator's."""
        return "/" in self.key


@dataclass(frozen=True, slots=True)
class ServiceView:
    """Where the service in a jurisdiction stands now.

    `overdue`: the date has passed and nobody has said what is to be. `tenants`: who is there.
    """

    jurisdiction: str
    state: State
    effective: datetime | None
    overdue: bool
    since: datetime | None
    tenants: tuple[str, ...]
    history: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What somebody wants done, before it is known whether it can be."""

    key: str
    jurisdiction: str
    move: Move
    effective: datetime | None
    made_by: str
    note: str


class ServiceStates:
    """The states of all jurisdictions.

    Args:
        suspensions: what the doors ask.
        eject: ends the sessions of those who are shut out.
        board: tells the tenants.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        suspensions: Suspensions,
        *,
        eject: Callable[[], None],
        board: NoticeBoard,
    ) -> None:
        self._store = store
        self._clock = clock
        self._suspensions = suspensions
        self._eject = eject
        self._board = board
        self._changes: dict[str, list[Change]] = {}
        self._keys: set[str] = set()
        # One change after the other: each is judged by the state that the one before has left.
        self._turn = asyncio.Lock()

    async def load(self) -> None:
        """Take up the states of before; suspended is what was suspended. Call it before anybody is let in.

        And again when another node has changed something: then those are to be sent away who are shut out by that.
        """
        async with self._turn:
            await self._load()

    async def _load(self) -> None:
        rows = await self._store.read(
            lambda connection: list(connection.execute(select(tables.service_change).order_by(_change.id)))
        )
        self._changes.clear()
        self._keys.clear()
        for row in rows:
            self._note(
                Change(
                    row.key,
                    row.jurisdiction,
                    Move(row.action),
                    State(row.state),
                    None if row.effective_at is None else datetime.fromtimestamp(row.effective_at, UTC),
                    datetime.fromtimestamp(row.changed_at, UTC),
                    row.made_by,
                    row.note,
                )
            )
        self._suspensions.suspend(self._suspended())

    # Questions.

    def view(self, jurisdiction: str) -> ServiceView:
        """Where the service stands there; RUNNING where nothing was ever done."""
        changes = self._changes.get(jurisdiction, [])
        state = self._state(jurisdiction)
        effective = changes[-1].effective if changes else None
        effectual = [
            change for before, change in zip([None, *changes], changes, strict=False) if _counts(before, change)
        ]
        return ServiceView(
            jurisdiction,
            state,
            effective,
            overdue=state is State.NOTICED and effective is not None and effective <= self._now(),
            since=effectual[-1].changed_at if effectual else None,
            tenants=tuple(self._suspensions.tenants(jurisdiction)),
            history=tuple(changes),
        )

    def views(self) -> list[ServiceView]:
        """All jurisdictions in which anything was ever done."""
        return [self.view(jurisdiction) for jurisdiction in sorted(self._changes)]

    def overdue(self) -> list[ServiceView]:
        """Where somebody has to say what is to be."""
        return [view for view in self.views() if view.overdue]

    # Changes.

    async def apply(self, order: ServiceOrder) -> None:
        """Carry out an authority's order, once. One that does not fit the state is written down and changes nothing."""
        move = _ORDERED[order.action]
        wish = _Wish(
            order.key,
            order.jurisdiction,
            move,
            order.effective if move in _DATED else None,
            order.authority_name,
            order.authorisation.reference,
        )
        async with self._turn:
            await self._make(wish)

    async def operate(
        self,
        action: ServiceAction,
        jurisdiction: str,
        *,
        operator: str,
        effective: datetime | None = None,
        note: str = "",
    ) -> ServiceView:
        """A person of the operator's acts. SUSPEND without a date, or with one that has come, suspends at once.

        Raises:
            NotAllowed: there is no such move from the present state, or a date is missing, too much or not in the future.
        """
        move = _ORDERED[action]
        if action is ServiceAction.SUSPEND and (effective is None or effective <= self._now()):
            move, effective = Move.SUSPEND, None
        if move is Move.EXTEND and (effective is None or effective <= self._now()):
            raise NotAllowed("to extend is to name a later day: give one that has not come yet")
        if move not in _DATED:
            effective = None
        async with self._turn:
            state = self._state(jurisdiction)
            if move not in TRANSITIONS[state]:
                possible = ", ".join(sorted(TRANSITIONS[state]))
                raise NotAllowed(
                    f"the service in {jurisdiction} is {state}: to {move} it is not possible; possible is: {possible}"
                )
            await self._make(_Wish(uuid4().hex, jurisdiction, move, effective, operator, note))
        return self.view(jurisdiction)

    async def _make(self, wish: _Wish) -> None:
        if not self._board.has_key:
            raise NotAllowed(
                "this relay has no desk, and could not tell the tenants: enable it ([desk] enabled = true)"
            )
        if wish.key not in self._keys:
            before = self._last(wish.jurisdiction)
            state = self._state(wish.jurisdiction)
            target, effective = TRANSITIONS[state].get(wish.move), wish.effective
            if target is None:
                target, effective = state, before.effective if before else None
            await self._carry_out(
                Change(
                    wish.key,
                    wish.jurisdiction,
                    wish.move,
                    target,
                    effective,
                    self._now(),
                    wish.made_by,
                    wish.note[:_NOTE],
                )
            )
        # Again after a crash, too: the row may be there and the notice not.
        await self._tell(wish.key)

    async def _carry_out(self, change: Change) -> None:
        """Shut out first, then write, then let in: what is taken away is taken at once, what is given is durable before."""
        suspended = self._suspended()
        if change.state is State.SUSPENDED:
            self._suspensions.suspend(suspended | {change.jurisdiction})
        try:
            await self._store.run(_insertion(change))
        except BaseException:
            self._suspensions.suspend(self._suspended())
            raise
        self._note(change)
        self._suspensions.suspend(self._suspended())
        self._eject()
        _log.info("service state changed", state=change.state.value)

    async def _tell(self, key: str) -> None:
        """Post the notice about a change, unless it changed nothing."""
        changes = next(changes for changes in self._changes.values() if any(one.key == key for one in changes))
        number = next(number for number, one in enumerate(changes) if one.key == key)
        change = changes[number]
        if not _counts(changes[number - 1] if number else None, change):
            return
        effective = None if change.effective is None else int(change.effective.timestamp())
        notice = service_notice(
            key,
            jurisdiction=change.jurisdiction,
            state=change.state.value,
            effective=effective,
            ordered_by=change.made_by if change.is_ordered else OPERATOR,
            now=int(change.changed_at.timestamp()),
        )
        await self._board.post([notice])

    # Inside.

    def _note(self, change: Change) -> None:
        self._changes.setdefault(change.jurisdiction, []).append(change)
        self._keys.add(change.key)

    def _last(self, jurisdiction: str) -> Change | None:
        changes = self._changes.get(jurisdiction)
        return changes[-1] if changes else None

    def _state(self, jurisdiction: str) -> State:
        last = self._last(jurisdiction)
        return State.RUNNING if last is None else last.state

    def _suspended(self) -> frozenset[str]:
        return frozenset(where for where in self._changes if self._state(where) is State.SUSPENDED)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock.now()), UTC)


def _counts(before: Change | None, change: Change) -> bool:
    """Whether a change changed anything."""
    if before is None:
        return change.state is not State.RUNNING
    return (change.state, change.effective) != (before.state, before.effective)


def _insertion(change: Change) -> Callable[[sqlalchemy.Connection], None]:
    statement = sqlalchemy.insert(tables.service_change).values(
        key=change.key,
        jurisdiction=change.jurisdiction,
        action=change.move.value,
        state=change.state.value,
        effective_at=None if change.effective is None else int(change.effective.timestamp()),
        changed_at=int(change.changed_at.timestamp()),
        made_by=change.made_by,
        note=change.note,
    )

    def write(connection: sqlalchemy.Connection) -> None:
        connection.execute(statement)

    return write
