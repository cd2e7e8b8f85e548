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

    def runs(self) -> list[str | None]:
        """What is to be run: each variant, or the one run of a scenario without any."""
        return [*self.variants] or [None]

    def steps_of(self, variant: str | None) -> list[tuple[int, datetime, Step]]:
        """The steps of a variant: position in the file, moment, step."""
        found: list[tuple[int, datetime, Step]] = []
        now = self.start
        for number, step in enumerate(self.steps):
            if not step.only_in or variant in step.only_in:
                now = step.at or now + (step.after or timedelta(0))
                found.append((number, now, step))
        return found

    def letters_of(self, variant: str | None) -> list[Letter]:
        """The traffic of a variant, in order of time."""
        found = [letter for letter in self.traffic if not letter.only_in or variant in letter.only_in]
        return sorted(found, key=lambda letter: letter.at)

    def moments(self) -> list[datetime]:
        """Every moment at which something happens, in any variant."""
        steps = [at for variant in self.runs() for _, at, _ in self.steps_of(variant)]
        return [self.start, *steps, *(letter.at for letter in self.traffic)]
