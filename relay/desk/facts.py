"""From which facts a request is decided: the register's, the clock's, and metadata about the targets.

Metadata are read through `OpenMetadata` alone: the desk has no connection to the store on which a query about an
envelope would not be refused by SQLite itself. Every target costs the same queries, whether it exists or not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy
from sqlalchemy import func, select

from blindrelay.policies.decision import (
    AuthorityFacts,
    CaseEvent,
    Facts,
    OperatorPolicy,
    PreservationFacts,
    TargetFacts,
)
from blindrelay.policies.request import DataDemand, LawfulRequest, Target, TargetFormat
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, EventKind
from blindrelay.protocol.address import DeviceAddress, UserAddress
from blindrelay.protocol.errors import Malformed
from blindrelay.relay.config import Desk as DeskSettings
from blindrelay.relay.config import Retention
from blindrelay.relay.desk.register import Authority, Register
from blindrelay.relay.store import tables
from blindrelay.relay.store.metadata import MetadataReader, OpenMetadata

_CALL_BACKS: Final = {EventKind.CALL_BACK_CONFIRMED: True, EventKind.CALL_BACK_DENIED: False}


@dataclass(frozen=True, slots=True)
class Question:
    """What facts are wanted for: a request, when it came, and what has happened since."""

    request: LawfulRequest
    authority_id: str
    received_at: datetime
    events: tuple[CaseEvent, ...]
    requests_last_day: int
    preservations: tuple[PreservationFacts, ...]


class FactFinder:
    """Finds facts. Blocks: it is called in a thread.

    Args:
        metadata: the relay's.
        register: of authorities and of persons to be careful about.
        settings, retention: the operator's own rules.
    """

    def __init__(
        self, metadata: OpenMetadata, register: Register, settings: DeskSettings, retention: Retention
    ) -> None:
        self._open_metadata = metadata
        self._register = register
        self._settings = settings
        self._retention = retention

    def find(self, question: Question, now: datetime) -> Facts:
        """Everything that the decision may depend on. Raises what the store raises."""
        request = question.request
        wanted = dict.fromkeys(
            target for demand in request.demands if isinstance(demand, DataDemand) for target in demand.targets
        )
        with self._open_metadata() as reader:
            targets = tuple(self._target(reader, target) for target in wanted)
            users = _users_by_jurisdiction(reader)
        blocking = self._settings.blocking_statutes.get(request.authorisation.jurisdiction, [])
        return Facts(
            now=now,
            received_at=question.received_at,
            authority=self._authority(question),
            targets=targets,
            operator=self._operator(users),
            events=question.events,
            retained_since={
                DataClass.ACCESS: now - timedelta(days=self._retention.access_days),
                DataClass.TRAFFIC: now - timedelta(days=self._retention.traffic_days),
            },
            blocking_statutes=frozenset(blocking),
            preservations=question.preservations,
        )

    def _authority(self, question: Question) -> AuthorityFacts:
        found: Authority | None = self._register.authority(question.authority_id)
        called_back = [_CALL_BACKS[event.kind] for event in question.events if event.kind in _CALL_BACKS]
        return AuthorityFacts(
            id=question.authority_id,
            name=found.name if found else question.authority_id,
            jurisdiction=found.jurisdiction if found else question.request.authorisation.jurisdiction,
            kind=found.kind if found else AuthorityKind.LITIGANT,
            is_registered=found is not None,
            officer_is_enrolled=found is not None and question.request.officer in found.officers,
            call_back_confirmed=called_back[-1] if called_back else None,
            requests_last_day=question.requests_last_day,
        )

    def _operator(self, users: dict[str, int]) -> OperatorPolicy:
        settings = self._settings
        return OperatorPolicy(
            emergency_hours=settings.emergency_hours,
            approvals=settings.approvals,
            max_requests_a_day=settings.max_requests_a_day,
            service_users={**users, **settings.service_users},
        )

    def _target(self, reader: MetadataReader, target: Target) -> TargetFacts:
        if target.format is TargetFormat.ALL_USERS:
            return TargetFacts(target, exists=True, tenant=None, jurisdictions=frozenset())
        tenant, user, device = _parts(target)
        known = reader.select(select(tables.tenant.c.jurisdiction).where(tables.tenant.c.name == tenant))
        found = reader.select(_devices(tenant, user, device))
        users = reader.select(
            select(func.count(tables.device.c.user.distinct())).where(tables.device.c.tenant == tenant)
        )
        if not known:
            return TargetFacts(target, exists=False, tenant=None, jurisdictions=frozenset())
        return TargetFacts(
            target,
            exists=user is None or bool(found[0][0]),
            tenant=tenant,
            jurisdictions=frozenset(jurisdiction for (jurisdiction,) in known if jurisdiction),
            tenant_size=int(users[0][0]),
            is_protected=user is not None and self._register.is_protected(UserAddress(tenant, user)),
        )


def _parts(target: Target) -> tuple[str, str | None, str | None]:
    """Tenant, user and device of a target. A value that is no address names nothing that could exist."""
    try:
        match target.format:
            case TargetFormat.USER:
                user = UserAddress.parse(target.value)
                return user.tenant, user.user, None
            case TargetFormat.DEVICE:
                device = DeviceAddress.parse(target.value)
                return device.tenant, device.user, device.device
            case _:
                return target.value, None, None
    except Malformed:
        return "", "", None


def _devices(tenant: str, user: str | None, device: str | None) -> sqlalchemy.Select[Any]:
    column = tables.device.c
    query = select(func.count(column.account_id)).where(column.tenant == tenant)
    if user is not None:
        query = query.where(column.user == user)
    if device is not None:
        query = query.where(column.device == device)
    return query


def _users_by_jurisdiction(reader: MetadataReader) -> dict[str, int]:
    device, tenant = tables.device.c, tables.tenant.c
    users = select(device.tenant, device.user).distinct().subquery()
    query = (
        select(tenant.jurisdiction, func.count(users.c.user))
        .join(users, users.c.tenant == tenant.name)
        .where(tenant.jurisdiction.is_not(None))
        .group_by(tenant.jurisdiction)
    )
    return {str(jurisdiction): int(count) for jurisdiction, count in reader.select(query)}
