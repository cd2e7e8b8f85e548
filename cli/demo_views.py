"""One message, three times, side by side."""

from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from blindrelay.cli.demo_evidence import Envelope, RelayDisk
from blindrelay.cli.output import foreign
from blindrelay.cli.rendering import TICKS

if TYPE_CHECKING:
    from blindrelay.cli.demo import Shown

# Three columns need so much; below it, the views stand one below the other.
_THREE_COLUMNS = 114
_BYTES_IN_A_LINE = 8
_LINES = 9
_BESIDES = (
    "Kept for 30 days by default, and disclosable. Besides: the message id among the recent ones, by which a repetition is "
    "recognised, and when whose device was connected, to the hour. `blindrelay inventory` lists everything."
)


def show_three_views(output: Console, shown: "Shown", disk: RelayDisk) -> None:
    """Print what the clients see, what the relay holds, and what its inventory says of one message."""
    views = {
        "what the clients see": ("green", _clients(shown)),
        "what the relay holds": ("red", _relay(shown, disk)),
        "what its inventory says": ("yellow", _inventory(shown)),
    }
    output.print()
    output.print(Rule(foreign(shown.title, "bold")))
    if output.width < _THREE_COLUMNS:
        output.print(Group(*(Panel(view, title=title, border_style=style) for title, (style, view) in views.items())))
        return
    table = Table(box=box.ROUNDED, expand=True)
    for title, (style, _) in views.items():
        table.add_column(title, header_style=f"bold {style}", ratio=1)
    table.add_row(*(view for _, view in views.values()))
    output.print(table)


def _clients(shown: "Shown") -> RenderableType:
    text = Text()
    text.append(f"{shown.sender.address}", "bold").append(" wrote\n")
    text.append_text(foreign(f"“{shown.words}”", "green")).append("\n")
    for device, message in shown.received:
        text.append(f"\n{device.address}", "bold").append(f" read, from {message.sender}\n")
        text.append_text(foreign(f"“{message.text}”", "green")).append("\n")
    for user, stage in shown.receipt.users.items():
        text.append(f"\n{TICKS[stage]} ", "cyan").append(f"by {user}, says {user}'s own device", "dim")
    return text


def _relay(shown: "Shown", disk: RelayDisk) -> RenderableType:
    envelopes = shown.evidence.envelopes
    text = Text()
    for envelope in envelopes[:1]:
        text.append("while it waited for\n").append(f"{envelope.recipient}\n", "bold")
        text.append(f"{len(envelope.payload):,} bytes under a random id\n\n")
        text.append_text(hexdump(envelope))
    others = ", ".join(envelope.recipient for envelope in envelopes[1:])
    if others:
        text.append(f"\nand as many, all different, for\n{others}\n")
    _, size = disk.search([])
    text.append("\nafter it was fetched\n", "bold")
    text.append(f"nothing: these bytes are nowhere in the {size:,} on the relay's disk")
    return text


def _inventory(shown: "Shown") -> RenderableType:
    parts: list[RenderableType] = []
    for number, record in enumerate(shown.evidence.traffic, 1):
        table = Table.grid(padding=(0, 1, 0, 0))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, value in record:
            table.add_row(name, foreign(value, "bold" if name == "sender's account" else ""))
        parts += [Text(f"TrafficRecord {number} of {len(shown.evidence.traffic)}", "bold"), table, Text()]
    parts.append(Text(_BESIDES, "dim"))
    return Group(*parts)


def hexdump(envelope: Envelope) -> Text:
    """The first bytes of an envelope, as a hexdump shows them."""
    lines = Text()
    for start in range(0, _LINES * _BYTES_IN_A_LINE, _BYTES_IN_A_LINE):
        chunk = envelope.payload[start : start + _BYTES_IN_A_LINE]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in chunk)
        lines.append(f"{chunk.hex(' '):<{3 * _BYTES_IN_A_LINE}}", "red").append(f"{letters}\n", "dim")
    left = len(envelope.payload) - _LINES * _BYTES_IN_A_LINE
    return lines.append(f"... and {left:,} bytes more of the same\n", "dim")
