"""The JSON Schema of a scenario file, for editors: completion, and a line under what is wrong.

`python -m blindrelay.policies.scenarios.schema` prints it; `scenario.schema.json` beside this module is what it printed.
"""

import json
import sys
from pathlib import Path
from typing import Final

from blindrelay.policies.scenarios.model import Scenario

PUBLISHED: Final = Path(__file__).parent / "scenario.schema.json"


def render() -> str:
    """The schema as JSON, with a newline at its end."""
    schema = Scenario.model_json_schema(by_alias=True)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Blindrelay scenario",
    }
    return json.dumps(head | {key: value for key, value in schema.items() if key != "title"}, indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
