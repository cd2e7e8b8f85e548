"""`blindrelay`: the one command, and what every command has in common."""

import os
import signal
import sys
from collections.abc import Sequence

import click

from blindrelay import __version__
from blindrelay.cli.exit_codes import MEANINGS, ExitCode, exit_code_of
from blindrelay.cli.lazy import Entry, LazyGroup
from blindrelay.cli.output import complain
from blindrelay.protocol.errors import BlindrelayError

_CLI = "blindrelay.cli"

COMMANDS = {
    "demo": Entry(f"{_CLI}.demo", "demo", "See the whole thing work, in a minute.", "Try it"),
    "up": Entry(f"{_CLI}.up", "up", "Run a relay in the foreground.", "The relay"),
    "console": Entry(f"{_CLI}.console", "command", "See it in a browser: messages, demands, proofs.", "Try it"),
    "migrate": Entry(f"{_CLI}.migrate", "migrate", "Create or upgrade the schema of a relay's database.", "The relay"),
    "store": Entry(f"{_CLI}.store", "store", "Move a relay's state from SQLite to PostgreSQL.", "The relay"),
    "node": Entry(f"{_CLI}.node", "node", "Several relay nodes that are one relay.", "The relay"),
    "inventory": Entry(
        f"{_CLI}.inventory", "inventory", "Every datum that a relay keeps, why, and for how long.", "The relay"
    ),
    "status": Entry(f"{_CLI}.status", "status", "How a relay that runs is doing.", "The relay"),
    "doctor": Entry(
        f"{_CLI}.doctor", "doctor", "Look for what is wrong with a relay, and say what to do.", "The relay"
    ),
    "backup": Entry(f"{_CLI}.backup", "backup", "Copy everything that a relay is, while it runs.", "The relay"),
    "restore": Entry(f"{_CLI}.backup", "restore", "Put a backup back, into an empty place.", "The relay"),
    "tenant": Entry(
        f"{_CLI}.tenant", "tenant", "Run an enterprise: its CA, its people, their devices.", "The enterprise"
    ),
    "client": Entry(f"{_CLI}.client", "client", "Be somebody: send, listen, chat, mail, verify.", "The people"),
    "authority": Entry(
        f"{_CLI}.authority", "authority", "Be an authority: ask, and open what is disclosed.", "Lawful access"
    ),
    "desk": Entry(f"{_CLI}.desk", "desk", "Work at the lawful desk: authorities, cases, approvals.", "Lawful access"),
    "policy": Entry(f"{_CLI}.policy", "policy", "Write policy: lint, explain, matrix, diff.", "Lawful access"),
    "report": Entry(
        f"{_CLI}.report", "report", "Tell the public: transparency report and warrant canary.", "Lawful access"
    ),
    "witness": Entry(
        f"{_CLI}.witness", "witness", "Watch public logs for others: cosign what continues them.", "Transparency"
    ),
    "log": Entry(f"{_CLI}.log", "log", "Read public logs: show, prove, verify, monitor.", "Transparency"),
    "auditor": Entry(
        f"{_CLI}.auditor", "auditor", "Re-verify what a relay claims, from what it shows to all.", "Transparency"
    ),
    "simulate": Entry(f"{_CLI}.simulate", "simulate", "Drive a modelled enterprise through a relay.", "Load"),
    "replay": Entry(f"{_CLI}.simulate", "replay", "Drive a real trace of e-mail through a relay.", "Load"),
    "scenario": Entry(f"{_CLI}.scenario", "scenario", "Test policies with scenarios.", "Lawful access"),
    "prove": Entry(f"{_CLI}.prove", "prove", "Prove that content does not come out.", "Proofs"),
    "sabotage": Entry(f"{_CLI}.sabotage", "sabotage", "See that every check of the proof can fail.", "Proofs"),
    "chaos": Entry(f"{_CLI}.chaos", "chaos", "Break a deployment: nothing acknowledged is lost.", "Proofs"),
    "completion": Entry(f"{_CLI}.completion", "completion", "Complete commands in your shell.", "This program"),
}

_EPILOG = """\b
A first conversation, each line in a terminal of its own or one after the other:
  blindrelay up
  blindrelay tenant create acme.example
  blindrelay tenant register acme.example --code CODE   (the banner of `up` has it)
  blindrelay tenant enrol acme.example alice laptop
  blindrelay tenant enrol acme.example bob phone
  blindrelay client chat --as acme.example/alice/laptop bob@acme.example
  blindrelay client chat --as acme.example/bob/phone alice@acme.example

\b
Where things are: below --home, or BLINDRELAY_HOME, or ~/.local/share/blindrelay
  relay/                   the relay's data directory (`up`)
  tenants/TENANT/          a CA, its secrets and its list of devices; never on the relay's machine
  clients/TENANT/USER/DEVICE/   one device: its key, and its encrypted key store

\b
Exit codes:
"""


def _exit_codes() -> str:
    return "\n".join(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items())


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    epilog=_EPILOG + _exit_codes(),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="blindrelay %(version)s")
def cli() -> None:
    """A messaging relay that can authenticate its users and cannot read them.

    Enterprises run their own certificate authority and enrol their own devices. Devices encrypt to one another. The relay
    stores envelopes until they are fetched, and keeps the few data that `blindrelay inventory` lists.

    Each command has a manual: blindrelay COMMAND --help.
    """


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. A user's mistake is a sentence on stderr, never a traceback."""
    try:
        outcome = cli.main(
            args=None if arguments is None else list(arguments), prog_name="blindrelay", standalone_mode=False
        )
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BlindrelayError as error:
        complain(str(error))
        return exit_code_of(error)
    except (KeyboardInterrupt, click.Abort):
        complain("stopped")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`). Nothing more may be written, not at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except OSError as error:
        complain(f"{error.strerror or error}: {error.filename}" if error.filename else str(error.strerror or error))
        return ExitCode.FAILED
    return outcome if isinstance(outcome, int) else ExitCode.OK


def main() -> None:
    """The console script. SIGTERM is Ctrl-C by another hand: processes are ended and temporary folders removed for both."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run())


if __name__ == "__main__":
    main()
