"""The published schema is the model's, and says what each key means."""

import json
from typing import Any

from blindrelay.policies.scenarios import schema


def test_the_published_schema_is_the_model() -> None:
    """`python -m blindrelay.policies.scenarios.schema > policies/scenarios/scenario.schema.json` after a change."""
    assert schema.PUBLISHED.read_text(encoding="utf-8") == schema.render()


def test_every_key_is_explained() -> None:
    """What an editor shows beside a key is a sentence."""
    found = json.loads(schema.render())
    objects = {"Scenario": found, **found["$defs"]}
    silent = [
        f"{name}.{key}"
        for name, definition in objects.items()
        for key, value in definition.get("properties", {}).items()
        if not _described(value, found["$defs"])
    ]

    assert silent == []


def _described(value: dict[str, Any], definitions: dict[str, Any]) -> bool:
    reference = value.get("$ref", "").rpartition("/")[2]
    return bool(value.get("description") or definitions.get(reference, {}).get("description"))


def test_nothing_else_may_stand_in_it() -> None:
    """Every object is closed: an editor underlines a misspelt key."""
    found = json.loads(schema.render())
    open_ones = [
        name
        for name, definition in {"Scenario": found, **found["$defs"]}.items()
        if definition.get("type") == "object" and definition.get("additionalProperties") is not False
    ]

    assert open_ones == []
