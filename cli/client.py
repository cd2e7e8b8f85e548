"""`blindrelay client`: being somebody."""

import click

from blindrelay.cli.lazy import Entry, LazyGroup

_CLI = "blindrelay.cli"
_WRITE, _READ, _PEOPLE = "To write", "To read", "People and data"

COMMANDS = {
    "send": Entry(f"{_CLI}.writing", "send", "Send a chat message.", _WRITE),
    "mail": Entry(
        f"{_CLI}.writing", "mail", "Send a mail, with subject and attachments, to one or several people.", _WRITE
    ),
    "chat": Entry(f"{_CLI}.chat", "chat", "Talk with somebody, interactively.", _WRITE),
    "group": Entry(f"{_CLI}.groups", "group", "Found groups, and list them.", _WRITE),
    "listen": Entry(f"{_CLI}.reading", "listen", "Print messages as they come.", _READ),
    "history": Entry(f"{_CLI}.reading", "history", "Print a conversation from the key store.", _READ),
    "search": Entry(f"{_CLI}.reading", "search", "Find messages in the key store.", _READ),
    "contacts": Entry(f"{_CLI}.contacts", "contacts", "Whom you know, and comparing safety numbers.", _PEOPLE),
    "notices": Entry(f"{_CLI}.notices", "notices", "What the relay has told you: disclosures, suspensions.", _PEOPLE),
    "log": Entry(f"{_CLI}.seen_log", "seen_log", "What you have seen of the relay's public log; alarms.", _PEOPLE),
    "my-data": Entry(f"{_CLI}.reading", "my_data", "Print everything that the relay holds about you.", _PEOPLE),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    epilog="""\b
Examples:
  blindrelay client send --as acme.example/alice/laptop bob@globex.example "Shall we meet?"
  blindrelay client listen --as globex.example/bob/phone
  blindrelay client chat --as acme.example/alice/laptop bob@globex.example

\b
BLINDRELAY_AS says who you are without --as; if there is one device in the home only, it is that one.
Everything you write is encrypted to the other side's devices, and to your own others, before it leaves.
""",
)
def client() -> None:
    """Be somebody: speak as a device that an enterprise has enrolled (`blindrelay tenant enrol`).

    A device is used by one command at a time.
    """
