"""The views, in the order of the navigation. Each is a module here, a template and a script: see `blindrelay.console`."""

from typing import Final

from blindrelay.console.view import View
from blindrelay.console.views import demand, evidence, live, metadata, operate, scenarios

VIEWS: Final[tuple[View, ...]] = (
    live.VIEW,
    demand.VIEW,
    scenarios.VIEW,
    metadata.VIEW,
    evidence.VIEW,
    operate.VIEW,
)
