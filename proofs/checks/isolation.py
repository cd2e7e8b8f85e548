"""Isolation: the relay's process has no code that opens what devices seal, no way to one, and speaks to nobody."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import blindrelay
from blindrelay.proofs.checks.model import Check, Lock, Report
from blindrelay.proofs.evidence.folder import Evidence
from blindrelay.proofs.evidence.scope import Stage

_ROOMS: Final = ("relay", "policies", "protocol")
#: What could open an envelope, or brings it along.
_OPENERS: Final = frozenset({"vodozemac", "olm", "nacl", "aiomqtt", "paho", "prompt_toolkit", "httpx", "requests"})
#: The harness's own part in the process under proof: it starts the relay, and moves its clock.
_HARNESS: Final = frozenset(
    {"blindrelay.proofs", "blindrelay.proofs.evidence", "blindrelay.proofs.evidence.child", "blindrelay.proofs.evidence.clock",
     "blindrelay.proofs.evidence.faults"}
)  # fmt: skip
#: Names of operations that open something, agree on a secret, or read a ratchet.
_OPENING: Final = frozenset(
    {"decrypt", "decapsulate", "exchange", "unseal", "from_pickle", "decrypt_into", "open_sealed"}
)
#: Attributes of those names that are something else: the room in the relay where messages meet.
_NOT_OPENING: Final = frozenset({"self", "relay", "around", "_exchange"})
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
#: Events of a connection that is being made, by Python's own loop and by uvloop.
_CONNECTS: Final = frozenset({"socket.connect", "uvloop.create_connection"})
_STARTS: Final = ("subprocess.", "os.", "uvloop.subprocess")
_ADDRESS: Final = re.compile(r"'([0-9a-zA-Z.:-]+)', (\d+)")


class NothingChecked(Exception):
    """Something could not be examined that can be examined here."""


def examine(evidence: Evidence, report: Report) -> None:
    """The source, the modules that were loaded, and what the process did."""
    _imports(report)
    _contracts(report)
    _modules(evidence, report)
    _outside(evidence, report)


def _imports(report: Report) -> None:
    """Modules of the relay's rooms import one another, and so reach no client, through however many others."""
    for name, path in _sources(Path(blindrelay.__file__).parent):
        report.examined("modules of the relay's rooms")
        for target in sorted(set(_imported(path))):
            if _is_foreign(target):
                report.find("import", f"{name} imports {target}")


def _contracts(report: Report) -> None:
    """The contracts between the rooms, as they stand in `pyproject.toml`, where that and its tool are at hand."""
    root = Path(blindrelay.__file__).absolute().parents[1]
    if not (root / "pyproject.toml").exists() or find_spec("importlinter") is None:
        report.skip("the import contracts: they need the source tree and import-linter (`make check`)")
        return
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"],
        cwd=root, env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "500", "NO_COLOR": "1"},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    verdicts = re.findall(r"^(.+) (KEPT|BROKEN)\b", done.stdout, re.MULTILINE)
    if not verdicts:
        raise NothingChecked(f"the import contracts could not be checked: {(done.stdout + done.stderr)[-500:]}")
    report.examined("import contracts", len(verdicts))
    for contract, verdict in verdicts:
        if verdict != "KEPT":
            report.find("import", f"a contract between the rooms is broken: {contract}")


def _is_foreign(module: str) -> bool:
    """Whether it is in a room that the relay's may not enter. The package itself is in none."""
    _, _, rest = module.partition(".")
    room = rest.partition(".")[0]
    return (Path(blindrelay.__file__).parent / room).is_dir() and room not in {*_ROOMS, ""}


def _sources(root: Path) -> Iterator[tuple[str, Path]]:
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(("blindrelay", *parts)).removesuffix(".__init__"), path


def _imported(path: Path) -> Iterator[str]:
    for node in _nodes(path.resolve()):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("blindrelay."))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blindrelay"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def _nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(path.read_bytes())))


def _modules(evidence: Evidence, report: Report) -> None:
    loaded = evidence.manifest.modules
    if not loaded:
        report.find("module", "the relay has not said which modules it has loaded")
    for name, path in loaded.items():
        report.examined("modules that the relay has loaded")
        top, _, rest = name.partition(".")
        room = rest.partition(".")[0]
        if top in _OPENERS:
            report.find("module", f"the relay has loaded {name}, which could open what devices seal")
        elif top == "blindrelay" and _is_foreign(name) and name not in _HARNESS and not _is_saboteurs(name):
            report.find("module", f"the relay has loaded {name}")
        elif top == "blindrelay" and path and room in _ROOMS:
            for line, operation in _operations(Path(path)):
                report.find("opening-call", f"{name}, line {line}, calls {operation}")


def _is_saboteurs(name: str) -> bool:
    # A saboteur's own module is in the process that it sabotages; it is what it does there that counts.
    return name.startswith(
        (
            "blindrelay.proofs.saboteurs",
            "blindrelay.proofs.plugins",
            "blindrelay.proofs.checks",
            "blindrelay.proofs.evidence.",
        )
    )


def _operations(path: Path) -> Iterator[tuple[int, str]]:
    for node in _nodes(path.resolve()):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _OPENING:
            owner = node.func.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if name not in _NOT_OPENING:
                yield node.lineno, f"{name}.{node.func.attr}"


def _outside(evidence: Evidence, report: Report) -> None:
    """What Python's own audit says of the process (PEP 578), and the sockets that the system knows of."""
    declared = set(evidence.manifest.peers)
    path = evidence.folder / "audit.jsonl"
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        event, argument = json.loads(line)
        report.examined("audited events")
        if event == "socket.getaddrinfo" and any(host in argument for host in _LOOPBACK):
            continue  # where it listens
        if event in _CONNECTS and _peers(argument) and _peers(argument) <= declared:
            report.examined("connections to declared peers")
            continue
        reason = "subprocess" if event.startswith(_STARTS) else "egress"
        report.find(reason, f"the relay's process: {event} {argument:.120}")
    for moment in evidence.manifest.moments:
        report.examined("looks at the process's sockets")
        for peer in set(moment.outward) - declared:
            report.find("egress", f"the relay has a connection to {peer}, {moment.name}")
        for sign in moment.offspring:
            report.find("subprocess", f"the relay's process: {sign}, {moment.name}")


def _peers(argument: str) -> set[str]:
    """The addresses in what an event was told, `address:port`."""
    return {f"{host}:{port}" for host, port in _ADDRESS.findall(argument)}


CHECK: Final = Check(
    name="isolation",
    lock=Lock.KEYS,
    title="the relay's process holds no code that could open an envelope, and speaks to nobody but its clients",
    reasons={
        "import": "a module of the relay's rooms imports a client's, or a proof's",
        "module": "the relay has loaded a module that could open what devices seal, or a client's",
        "opening-call": "code of the relay's calls an operation that opens or agrees on something",
        "egress": "the relay's process has connected to somebody who is not declared, or looked up an address",
        "subprocess": "the relay's process has started another",
    },
    needs=(
        "modules of the relay's rooms",
        "modules that the relay has loaded",
        "audited events",
        "connections to declared peers",
        "looks at the process's sockets",
    ),
    enough=(Stage.WAIT, Stage.LEAVE),
    examine=examine,
)
