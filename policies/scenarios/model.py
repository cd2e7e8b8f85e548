"""A scenario: a clock, tenants and their traffic, authorities and their demands, and what is expected at each step."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field, field_validator

from blindrelay.policies.scenarios.steps import Letter, Step
from blindrelay.policies.scenarios.words import Label, Line, Moment, Piece, Text
from blindrelay.policies.scenarios.world import Authority, Instrument, Operator, Tenant


class Scenario(Piece):
    """A world, what happens in it, and what is expected."""

    scenario: Label
    """Its name."""
    title: Line
    """What it shows, in a line."""
    reference: Line | None = None
    """Where it comes from."""
    description: Text | None = None
    """More about it."""
    sources: dict[Label, Text] = Field(default_factory=dict)
    """Where its facts come from, by a key that steps name."""
    start: Moment
    """The date on which the world begins. Everybody is enrolled then."""
    policies: tuple[Line, ...] = ()
    """Folders with policy packs of your own, relative to this file. Left out: those that are shipped."""
    operator: Operator = Operator()
    """Who runs the relay."""
    tenants: Annotated[tuple[Tenant, ...], Field(min_length=1)]
    """The enterprises."""
    authorities: dict[Label, Authority] = Field(default_factory=dict)
    """Who asks."""
    instruments: dict[Label, Instrument] = Field(default_factory=dict)
    """What demands rest on."""
    variants: dict[Label, Line] = Field(default_factory=dict)
    """Ways in which it can go, and what each is. Each is run by itself, in a world of its own."""
    traffic: tuple[Letter, ...] = ()
    """Who writes to whom, when."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    """What happens, in order."""

    @field_validator("tenants")
    @classmethod
    def _differ(cls, tenants: tuple[Tenant, ...]) -> tuple[Tenant, ...]:
        names = [tenant.name for tenant in tenants]
        if len(set(names)) != len(names):
            raise ValueError("two tenants have the same name")
        return tenants

    def tenant_of(self, user: str) -> Tenant | None:
        """The tenant of `alice@acme.example`, if the user exists."""
        name, _, domain = user.partition("@")
        found = [tenant for tenant in self.tenants if tenant.name == domain and name in tenant.users]
        return found[0] if found else None

    def instrument(self, under: str | Instrument) -> Instrument:
        """The instrument that a demand names or holds."""
        return self.instruments[under] if isinstance(under, str) else under

    def moments(self) -> list[datetime]:
        """The moment of each step, in order."""
        found: list[datetime] = []
        now = self.start
        for step in self.steps:
            now = step.at or now + (step.after or timedelta(0))
            found.append(now)
        return found
