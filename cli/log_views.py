"""Entries of logs, as lines for people and as objects for programs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text

from blindrelay.cli.log_names import Names
from blindrelay.cli.output import printable
from blindrelay.protocol.transparency.policy import Witnessed

_SHORT: Final = 16


def fields_of(data: bytes) -> dict[str, Any]:
    """What is in an entry, of whatever log; nothing where it is no JSON object."""
    try:
        found = json.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def record(index: int, data: bytes) -> dict[str, Any]:
    """For programs: the entry's own fields below `entry`; its bytes, in hexadecimal, where they are not such."""
    fields = fields_of(data)
    return {"index": index, "entry": fields} if fields else {"index": index, "unreadable": data.hex()}


def line(index: int, data: bytes, names: Names) -> Text:
    """For people. Digests are short: the whole is in `record`."""
    fields = fields_of(data)
    kind = str(fields.pop("kind", "?"))
    words = _directory(kind, fields, names) if fields else None
    if words is None:
        words = (
            " ".join(f"{name}={_short(value)}" for name, value in fields.items()) or f"unreadable: {data[:40].hex()}"
        )
    style = {"revocation": "yellow", "?": "red"}.get(kind, "")
    return Text.assemble((f"{index:>8}  ", "dim"), (f"{printable(kind):<12}", style), printable(words))


def _directory(kind: str, fields: Mapping[str, Any], names: Names) -> str | None:
    tenant = f"{fields.get('tenant')!s:<20}"
    if kind == "tenant":
        return f"{tenant}  root certificate {_short(fields.get('root'))}"
    certificate, account = str(fields.get("certificate")), str(fields.get("account"))
    if kind not in {"device", "revocation"}:
        return None
    who = names.devices.get(certificate) or names.users.get(account) or f"account {_short(account)}"
    what = f"  statement {fields.get('sequence')}" if kind == "device" else "  is withdrawn"
    return f"{tenant}  {who:<24}  certificate {_short(certificate)}{what}"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:_SHORT]}…" if len(text) > 2 * _SHORT else text


def cosigners(witnessed: Witnessed) -> str:
    """Who has cosigned a checkpoint, and when."""
    said = [f"{name} at {datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC" for name, time in witnessed.cosigned]
    return ", ".join(said) or "nobody"


def head_record(witnessed: Witnessed) -> dict[str, Any]:
    """A checkpoint, for programs."""
    head = witnessed.checkpoint
    return {"log": head.origin, "size": head.size, "root": head.root.hex(), "cosigned": dict(witnessed.cosigned)}
