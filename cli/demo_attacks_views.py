"""An attack as people see it."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from blindrelay.cli.output import foreign
from blindrelay.proofs.attacks.model import Attack, Outcome


def show_list(output: Console, attacks: Sequence[Attack]) -> None:
    """Which attacks there are, in which ways they are carried out, and who has to notice them."""
    table = Table(box=box.SIMPLE_HEAD, expand=True)
    table.add_column("--attack", no_wrap=True)
    for title in ("what the relay does", "noticed by", "check"):
        table.add_column(title, overflow="fold")
    for attack in attacks:
        table.add_row(Text(attack.name, "bold"), Text(f"{attack.title}. What for: {attack.gain}.", "bold"), "", "")
        for variant in attack.variants:
            table.add_row(f"  {attack.name}/{variant.name}", variant.does, variant.party, variant.check)
    output.print(table)
    output.print(
        "`--attack all` carries out everything. Background: docs/explanation/what-a-malicious-relay-can-try.md"
    )


def show_outcome(output: Console, outcome: Outcome) -> None:
    """What happened, party by party, and what came of it."""
    attack, variant = outcome.attack, outcome.variant
    output.print()
    output.print(Rule(Text(f"{attack.title} ({attack.name}/{variant.name})", "bold"), align="left"))
    output.print(Text(f"{variant.does} What for: {attack.gain}.", "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for party, what in outcome.sees:
        error = outcome.noticed is not None and what == outcome.noticed.error
        table.add_row(party, foreign(what, "yellow" if error else ""))
    output.print(table)
    output.print(_verdict(outcome))


def _verdict(outcome: Outcome) -> Text:
    if not outcome.caught:
        text = Text(
            "✗ not noticed" if outcome.noticed is None else "✗ noticed too late, or not as it should be", "bold red"
        )
        return text.append(
            f" ({outcome.left} envelopes left the client, and the attacker has read {len(outcome.read)} of them)"
        )
    assert outcome.noticed is not None  # noqa: S101 - it was caught
    text = Text("✓ noticed", "bold green")
    text.append(f" by {outcome.noticed.party}, by the check `{outcome.noticed.check}`, ", "")
    text.append(f"{outcome.seconds:.2f} s after the first lie: ")
    return text.append("the attacker can read nothing" if outcome.left else "nothing was sent")


def show_sum(output: Console, outcomes: Sequence[Outcome], seconds: float) -> None:
    """How many of them were noticed."""
    caught = sum(outcome.caught for outcome in outcomes)
    output.print(
        f"\n{caught} of {len(outcomes)} noticed, in {seconds:.0f} seconds. Everything is removed."
        if caught == len(outcomes)
        else f"\n[bold red]{len(outcomes) - caught} of {len(outcomes)} not noticed.[/bold red] Everything is removed."
    )
