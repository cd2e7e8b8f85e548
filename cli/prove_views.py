"""A proof on the terminal: a verdict for each lock, and what it rests on."""

from rich.console import Console
from rich.markup import escape

from blindrelay.cli.output import printable
from blindrelay.proofs.checks.model import Lock, Measurement, Verdict
from blindrelay.proofs.prove import Proof

_GOOD, _BAD = "[green]✓[/green]", "[red]✗[/red]"


def show(output: Console, proof: Proof) -> None:
    """Print it."""
    output.print(f"{escape(printable(_subject(proof)))}\n", soft_wrap=True)
    for lock in Lock:
        if verdicts := proof.of(lock):
            mark = _GOOD if all(verdict.passed for verdict in verdicts) else _BAD
            output.print(f"{mark} [bold]{lock}[/bold]  {escape(lock.claim)}")
            for verdict in verdicts:
                _show_verdict(output, proof, verdict)
            output.print()
    for trouble in proof.troubles:
        output.print(
            f"{_BAD} the run is not whole: {escape(printable(trouble.stage))}: {escape(printable(trouble.error))}",
            soft_wrap=True,
        )
    for why in dict.fromkeys(proof.left_out.values()):
        names = ", ".join(name for name, reason in proof.left_out.items() if reason == why)
        output.print(f"[yellow]left out: {names}: {escape(why)}[/yellow]", soft_wrap=True)
    style = "green bold" if proof.passed else "red bold"
    output.print(f"[{style}]{proof.conclusion}[/{style}] {proof.seconds:.0f} s")


def _subject(proof: Proof) -> str:
    """What was examined."""
    facts = proof.facts
    if proof.against:
        return (
            f"{proof.against} as it was on {proof.at:%Y-%m-%d at %H:%M:%S} UTC: {facts['files']:,} files, "
            f"{facts['files of logs']:,} of logs, {facts['files of backups']:,} of backups, "
            f"{facts['known texts']:,} known texts."
        )
    if "enterprises" not in facts:
        return "No run was needed."
    return (
        f"A run with {facts['enterprises']} enterprises, {facts['devices']} devices, {facts['letters']} letters, "
        f"{facts['requests']} requests with {facts['demands']} demands under {facts['instruments']} instruments, "
        f"{facts['packages']} packages, {facts['canaries']} canaries."
    )


def _show_verdict(output: Console, proof: Proof, verdict: Verdict) -> None:
    mark, title = (_GOOD if verdict.passed else _BAD), proof.title(verdict.check)
    output.print(f"  {mark} [cyan]{verdict.check}[/cyan]  {escape(title)}  [dim]{verdict.seconds:.1f} s[/dim]")
    if verdict.examined:
        looked_at = ", ".join(f"{count:,} {what}" for what, count in verdict.examined.items() if count)
        output.print(f"      [dim]{escape(looked_at)}[/dim]", soft_wrap=True)
    for measurement in verdict.measured:
        output.print(f"      [dim]{escape(printable(measured(measurement)))}[/dim]", soft_wrap=True)
    for why in verdict.skipped:
        output.print(f"      [yellow]not examined: {escape(printable(why))}[/yellow]", soft_wrap=True)
    if verdict.error is not None:
        output.print(f"      [red]could not be carried out: {escape(printable(verdict.error))}[/red]", soft_wrap=True)
    for finding in verdict.findings:
        output.print(
            f"      [red]{escape(finding.reason)}[/red]: {escape(printable(finding.text))}",
            soft_wrap=True,
        )
    for reason, count in verdict.dropped.items():
        output.print(f"      [red]{escape(reason)}[/red]: and {count:,} more")


def measured(measurement: Measurement) -> str:
    """A measurement in a line: the number, what guessing gives, where the limit is, what it was measured on."""
    unit = "" if measurement.unit == "share" else f" {measurement.unit}"
    against = [
        f"{word} {value:.3g}"
        for word, value in (("guessing", measurement.guess), ("limit", measurement.limit))
        if value is not None
    ]
    return f"{measurement.what}: {measurement.value:.3g}{unit} ({', '.join([*against, measurement.source])})"
