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
    except (ValueError, RecursionError):  # whatever a log has in it
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
    words = (_directory(kind, fields, names) or _told(fields)) if fields else f"unreadable: {data[:40].hex()}"
    style = {"revocation": "yellow", "left": "yellow", "?": "red"}.get(kind, "")
    return Text.assemble((f"{index:>8}  ", "dim"), (f"{_one_line(kind):<12}", style), _one_line(words))


def _one_line(text: str) -> str:
    """An entry must not look like two."""
    return printable(text.replace("\n", "\x00").replace("\t", "\x00"))


def _directory(kind: str, fields: Mapping[str, Any], names: Names) -> str | None:
    tenant = f"{fields.get('tenant')!s:<20}"
    if kind == "tenant":
        return f"{tenant}  root certificate {_short(fields.get('root'))}"
    if kind == "left":
        return f"{tenant}  has left{'' if fields.get('leaving') else ', put out by the operator'}"
    certificate, account = str(fields.get("certificate")), str(fields.get("account"))
    if kind not in {"device", "revocation"}:
        return None
    who = names.devices.get(certificate) or names.users.get(account) or f"account {_short(account)}"
    what = f"  statement {fields.get('sequence')}" if kind == "device" else "  is withdrawn"
    what += "  an archive" if fields.get("archive") is True else ""
    return f"{tenant}  {who:<24}  certificate {_short(certificate)}{what}"


def _told(fields: Mapping[str, Any]) -> str:
    """An entry of the log `lawful-access`, or of one that this release does not know."""
    return "  ".join(f"{name} {_words(value)}" for name, value in fields.items())


def _words(value: Any) -> str:
    match value:
        case {"at_least": int(least), "at_most": int(most)}:
            return str(least) if least == most else f"{least} to {most}"
        case {"what": str(what), "outcome": str(outcome)}:
            return f"{what} {outcome}"
        case {"asked": [_, *_] as asked}:
            return _words(asked)
        case {"outcome": str(outcome)}:
            return outcome
        case [dict(), *_]:
            return ", ".join(map(_words, value))
    return _short(value)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{text[:_SHORT]}…" if len(text) > 2 * _SHORT else text


def cosigners(witnessed: Witnessed) -> str:
    """Who has cosigned a checkpoint, and when."""
    return ", ".join(f"{name} at {_moment(time)}" for name, time in witnessed.cosigned) or "nobody"


def _moment(time: int) -> str:
    try:
        return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, OverflowError, OSError):  # a witness may say what it likes
        return f"{time} seconds after 1970"


def head_record(witnessed: Witnessed) -> dict[str, Any]:
    """A checkpoint, for programs."""
    head = witnessed.checkpoint
    return {"log": head.origin, "size": head.size, "root": head.root.hex(), "cosigned": dict(witnessed.cosigned)}
