"""In whose name something is done at the desk: that of the demonstration's persons, or of whose token the console has."""

from typing import Final

from blindrelay.console.desk_line import DeskLine
from blindrelay.console.desktop import Desktop
from blindrelay.console.errors import ConsoleError

_NOBODY: Final = (
    "the console has nobody's token for the lawful desk. Make one (blindrelay desk operator add), and start the console with "
    "--token-file"
)


class NobodyThere(ConsoleError):
    """Nobody can act at the desk, or not this person."""


class DeskPeople:
    """See the module."""

    def __init__(self, desktop: Desktop) -> None:
        self._desktop = desktop

    @property
    def people(self) -> list[str]:
        """Who can act; of one person with a token the name is not asked for."""
        demonstration = self._desktop.demonstration
        return [] if demonstration is None else list(demonstration.people)

    def line(self, person: str | None = None) -> DeskLine:
        """Somebody's line to the desk; without a name the first one's. Raises `NobodyThere`."""
        demonstration = self._desktop.demonstration
        if demonstration is not None:
            if person is not None and person not in demonstration.people:
                raise NobodyThere(f"{person} does not work at this desk")
            return demonstration.bench.person(person or demonstration.people[0])
        if self._desktop.token_file is None:
            raise NobodyThere(_NOBODY)
        try:
            token = self._desktop.token_file.read_text("utf-8").strip()
        except OSError as error:
            raise NobodyThere(f"the token for the lawful desk cannot be read: {error.strerror}") from error
        return DeskLine(self._desktop.relay, token)
