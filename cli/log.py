"""`blindrelay log`: read what a relay's public logs say, prove it, verify it, follow it."""

import click

from blindrelay.cli.lazy import Entry, LazyGroup

_CLI = "blindrelay.cli"

COMMANDS = {
    "show": Entry(f"{_CLI}.log_show", "show", "Browse the entries."),
    "prove": Entry(f"{_CLI}.log_prove", "prove", "Print the proof that an entry is in the log."),
    "verify": Entry(f"{_CLI}.log_prove", "verify", "Verify a proof, or the whole log."),
    "monitor": Entry(f"{_CLI}.log_monitor", "monitor", "Follow a log, and alarm on what is about you and not yours."),
    "rotate-key": Entry(f"{_CLI}.log_keys", "rotate_key", "Replace the key that a log is signed with."),
}


@click.group(
    cls=LazyGroup,
    entries=COMMANDS,
    epilog="""\b
Examples:
  blindrelay log show --tenant acme.example
  blindrelay log monitor --tenant acme.example          is every device one that we have enrolled?
  blindrelay log prove --device acme.example/alice/laptop > laptop.proof
  blindrelay log verify laptop.proof --device acme.example/alice/laptop
  blindrelay log verify                                 every entry, every hash, against the signed checkpoint

\b
From another machine than the relay's:
  blindrelay log verify --relay https://relay.example:8885 --ca relay.crt --policy directory.policy
or BLINDRELAY_LOGS, BLINDRELAY_CA and BLINDRELAY_LOG_POLICY. Get the policy (the log's key and its witnesses) from somebody
else than the relay: it is what makes all this count against the relay.

\b
What has been seen is remembered in auditor/ in the home, so that a log that is rolled back, forked, or exchanged for another is
found: exit code 15, and both checkpoints are kept as evidence.
More: docs/how-to/monitor-your-tenant.md, docs/reference/logs.md
""",
)
def log() -> None:
    """Read a relay's public logs, and believe nothing of them that is not proved.

    There is a log of the directory (every tenant's root, every device, every revocation), and one of lawful access. They are
    Merkle trees (RFC 6962) in the formats of C2SP, so that tools written elsewhere read them, too. Nobody's key is needed.
    """
