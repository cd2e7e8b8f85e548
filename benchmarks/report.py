"""The table for people and the JSON for programs."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.world import Load


@dataclass(slots=True)
class Measurement:
    """One line of the report.

    Attributes:
        name: what was measured.
        values: value by name of what it is, with its unit in the name.
        aim: what it is to be, in words; "" where there is no aim.
        met: whether it is; None without aim.
        checks: what must be zero, by name: lost, duplicated, out of order.
    """

    name: str
    values: dict[str, float | str]
    aim: str = ""
    met: bool | None = None
    checks: dict[str, int] = field(default_factory=dict)


def of_load(name: str, load: Load, *, aim: str = "", met: bool | None = None) -> Measurement:
    """The line of a load."""
    result = load.result
    whole = max(result.delivered, 1)
    return Measurement(
        name,
        {
            "msg/s": round(result.rate),
            "ms PUBACK p50": round(result.to_puback.p50, 2),
            "p99": round(result.to_puback.p99, 2),
            "ms delivered p50": round(result.to_recipient.p50, 2),
            "p99 ": round(result.to_recipient.p99, 2),
            "worst": round(result.to_recipient.worst, 1),
            "us CPU server": round(load.server_cpu / whole * 1e6, 1),
            "generator": round(result.generator_cpu_seconds / whole * 1e6, 1),
            "CPUs busy with others": round(load.others, 2),
        },
        aim,
        met,
        {
            "lost": result.lost,
            "duplicated": result.duplicated,
            "out of order": result.out_of_order,
            "refused": result.refused,
        },
    )


class Report:
    """Collects measurements, says each as soon as it is there, and writes them all in the end."""

    def __init__(self, console: Console, machine: dict[str, Any]) -> None:
        self.console = console
        self.machine = machine
        self.measurements: list[Measurement] = []

    def add(self, measurement: Measurement) -> None:
        """Another one is done."""
        self.measurements.append(measurement)
        values = ", ".join(f"{value} {name}" for name, value in measurement.values.items())
        self.console.print(f"[bold]{measurement.name}[/]: {values} {_verdict(measurement)}")
        wrong = {name: count for name, count in measurement.checks.items() if count}
        if wrong:
            self.console.print(f"[red]  and {wrong}: this measurement is void[/]")

    @property
    def sound(self) -> bool:
        """Whether all of what was measured did what it should, however fast."""
        return not any(count for measurement in self.measurements for count in measurement.checks.values())

    def show(self) -> None:
        """Loads in a table with common columns, the rest in one of name and value."""
        loads = [m for m in self.measurements if "msg/s" in m.values]
        others = [m for m in self.measurements if "msg/s" not in m.values]
        if loads:
            table = Table(title="Messages of 1 KB: what each cost is", title_justify="left")
            table.add_column("")
            for column in loads[0].values:
                table.add_column(column, justify="right", max_width=12)
            table.add_column("aim")
            for m in loads:
                numbers = (f"{v:,}" if isinstance(v, int) else str(v) for v in m.values.values())
                table.add_row(m.name, *numbers, f"{m.aim} {_verdict(m)}")
            self.console.print(table)
        if others:
            table = Table("", "", "aim", title="Everything else", title_justify="left")
            for m in others:
                words = ", ".join(f"{value} {name}" for name, value in m.values.items())
                table.add_row(m.name, words, f"{m.aim} {_verdict(m)}")
            self.console.print(table)

    def write(self, path: Path) -> None:
        """Everything as JSON, the machine first."""
        content = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": self.machine,
            "measurements": [asdict(measurement) for measurement in self.measurements],
        }
        path.write_text(json.dumps(content, indent=2) + "\n")


def _verdict(measurement: Measurement) -> str:
    if measurement.met is None:
        return ""
    return "[green]met[/]" if measurement.met else "[yellow]not met[/]"
