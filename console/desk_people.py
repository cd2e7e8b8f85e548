"""In whose name something is done at the desk: that of the demonstration's persons, or of whose token the console has."""

from typing import Final

from starlette.exceptions import HTTPException

from blindrelay.console.desk_line import DeskLine
from blindrelay.console.desktop import Desktop

_NOBODY: Final = (
    "The console has nobody's token for the lawful desk. Make one (blindrelay desk operator add), and start the console with "
    "--token-file."
)


class DeskPeople:
    """See the module. What cannot be is answered with 409 and a sentence."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    @property
    def people(self) -> list[str]:
        """Who can act; of one person with a token the name is not asked for."""
        demonstration = self._desktop.demonstration
        return [] if demonstration is None else list(demonstration.people)

    def line(self, person: str | None = None) -> DeskLine:
        """Somebody's line to the desk; without a name the first one's."""
        demonstration = self._desktop.demonstration
        if demonstration is not None:
            if person is not None and person not in demonstration.people:
                raise HTTPException(409, f"{person} does not work at this desk.")
            return demonstration.bench.person(person or demonstration.people[0])
        if self._desktop.token_file is None:
            raise HTTPException(409, _NOBODY)
        try:
            token = self._desktop.token_file.read_text("utf-8").strip()
        except OSError as error:
            raise HTTPException(409, f"The token for the lawful desk cannot be read: {error.strerror}.") from error
        return DeskLine(self._desktop.relay, token)
