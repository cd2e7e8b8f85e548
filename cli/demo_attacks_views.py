"""An attack as people see it."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from blindrelay.cli.output import foreign
from blindrelay.proofs.attacks.model import Attack, Loss, Outcome


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
    attack, variant, scene = outcome.attack, outcome.variant, outcome.scene
    output.print()
    output.print(Rule(Text(f"{attack.title} ({attack.name}/{variant.name})", "bold"), align="left"))
    output.print(Text(f"{variant.does} What for: {attack.gain}.", "dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for party, what in scene.sees:
        error = scene.noticed is not None and what == scene.noticed.error
        table.add_row(party, foreign(what, "yellow" if error else ""))
    output.print(table)
    output.print(_verdict(outcome))


def _verdict(outcome: Outcome) -> Text:
    scene = outcome.scene
    if scene.noticed is None or not outcome.caught:
        text = Text(
            "✗ not noticed" if scene.noticed is None else "✗ noticed too late, or not as it should be", "bold red"
        )
        return text.append(f": {scene.left} envelopes left the client, and {scene.loss}", "")
    style = "bold green" if scene.loss is Loss.NOTHING else "bold yellow"
    text = Text("✓ noticed", style)
    text.append(f" by {scene.noticed.party}, by the check `{scene.noticed.check}`, ", "")
    return text.append(f"{scene.seconds:.2f} s after the first lie: {scene.loss}", "")


def show_sum(output: Console, outcomes: Sequence[Outcome], seconds: float) -> None:
    """How many of them were noticed, and how many in time."""
    missed = sum(not outcome.caught for outcome in outcomes)
    late = sum(outcome.caught and outcome.scene.loss is Loss.READ for outcome in outcomes)
    if missed:
        output.print(f"\n[bold red]{missed} of {len(outcomes)} not noticed.[/bold red] Everything is removed.")
        return
    output.print(f"\n{len(outcomes)} of {len(outcomes)} noticed, in {seconds:.0f} seconds. Everything is removed.")
    if late:
        output.print(
            f"{late} of them when something had been read: what can be found out, and not prevented. "
            "docs/explanation/what-a-malicious-relay-can-try.md says why."
        )
