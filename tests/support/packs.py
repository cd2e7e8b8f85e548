"""Packs of a test's own: small ones, in which a test changes one thing."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from blindrelay.policies.cedar import Policy
from blindrelay.policies.sources import PolicySource
from blindrelay.policies.vocabulary import Ground, Mark

INSTRUMENT: dict[str, Any] = {
    "id": "zz/order",
    "title": "Order",
    "legal_basis": "Act s.1",
    "issuers": ["judge"],
    "reach": ["SUBSCRIBER", "ACCESS", "TRAFFIC"],
    "modes": ["stored"],
    "scopes": ["accounts"],
    "prospective": False,
    "needs_judge": True,
    "mark": "C",
    "sources": ["act"],
}
MANIFEST: dict[str, Any] = {
    "jurisdiction": "zz",
    "title": "Nowhere",
    "as_of": "2026-01-01",
    "not_legal_advice": "This is a test.",
    "simplifies": ["everything"],
    "non_disclosure": "None.",
    "instruments": [INSTRUMENT],
    "sources": {"act": "the Act"},
}
PERMIT = """@id("order-traffic")
@reason("An order reaches traffic records.")
@source("Act s.1")
@mark("C")
permit (principal, action == Action::"disclose", resource is TrafficRecords)
when { context.id == "zz/order" && context.issuer == "judge" };
"""


def write_pack(
    folder: Path,
    policies: str = PERMIT,
    manifest: Mapping[str, Any] | None = None,
    instrument: Mapping[str, Any] | None = None,
    name: str = "zz",
) -> Path:
    """Write a pack into `folder/<name>`, with some of its manifest and of its one instrument replaced."""
    pack = folder / name
    pack.mkdir(parents=True, exist_ok=True)
    written = MANIFEST | {"instruments": [INSTRUMENT | dict(instrument or {})]} | dict(manifest or {})
    (pack / "manifest.yaml").write_text(yaml.safe_dump(written, sort_keys=False))
    (pack / "policies.cedar").write_text(policies)
    return pack


def policy(text: str, policy_id: str = "test/added", ground: Ground = Ground.OUT_OF_REACH) -> Policy:
    """A policy that is in no file."""
    effect = "forbid" if text.lstrip().startswith("forbid") else "permit"
    source = PolicySource(text, "packs/test/added.cedar", 1)
    return Policy(policy_id, effect, "Added.", "a test", Mark.CONFIRMED, ground, source)
