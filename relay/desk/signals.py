"""Signs that a request may not be what it says, for the people at the desk. What they mean for the outcome, policies decide.

A genuine domain, certificate or letterhead proves little: in 2021 mailboxes of real police forces were used for forged
emergency requests, and accounts were handed over (see the explanation of lawful access).
"""

from typing import Final

from blindrelay.policies.decision import Facts
from blindrelay.policies.request import LawfulRequest
from blindrelay.policies.vocabulary import Urgency

# Investigations name a handful of accounts; a list of a dozen deserves a question, and nothing more than that.
MANY_TARGETS: Final = 10


def signals(request: LawfulRequest, facts: Facts) -> tuple[str, ...]:
    """What is unusual about a request, a sentence each, the gravest first."""
    authority, operator = facts.authority, facts.operator
    is_emergency = request.authorisation.urgency is Urgency.EMERGENCY
    tenants = {target.tenant for target in facts.targets if target.tenant}
    protected = sorted(target.target.value for target in facts.targets if target.is_protected)
    found = (
        (authority.call_back_confirmed is False, "the agency says that it has not asked for this"),
        (not authority.is_registered, "the authority is not registered any more"),
        (not authority.officer_is_enrolled, f"{request.officer} is not enrolled as an officer of {authority.name}"),
        (bool(protected), f"to be careful about: {', '.join(protected)}"),
        (
            authority.requests_last_day > operator.max_requests_a_day,
            f"{authority.requests_last_day} requests of this authority within a day; {operator.max_requests_a_day} are usual",
        ),
        (len(facts.targets) >= MANY_TARGETS, f"{len(facts.targets)} targets in one request"),
        (len(tenants) > 1, f"targets of {len(tenants)} enterprises in one request"),
        (
            is_emergency and request.authorisation.emergency_grounds is None,
            "an emergency, and no word of what the danger is",
        ),
        (is_emergency and authority.call_back_confirmed is None, "an emergency that has not been called back"),
    )
    return tuple(text for applies, text in found if applies)
