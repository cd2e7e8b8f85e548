"""A proof for programs and for people: JSON, and one HTML file without anything from elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, select_autoescape
from pydantic import BaseModel, ConfigDict, ValidationError

from blindrelay.proofs.checks import catalogue
from blindrelay.proofs.checks.model import Lock, Measurement, Verdict
from blindrelay.proofs.limits import CANNOT_SEE
from blindrelay.proofs.prove import Proof
from blindrelay.protocol.errors import Malformed

#: Names the form of the JSON; another form has another name.
FORMAT: Final = "blindrelay-proof-1"
_TEMPLATES: Final = Path(__file__).parent
_BYTES: Final = "bytes of "
_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")


class Leak(BaseModel):
    """A row of the kill matrix, as `blindrelay sabotage matrix --out` writes it: a deliberate leak, and who found it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    saboteur: str
    title: str
    lock: str
    caught: bool
    by: str | None = None
    reason: str | None = None
    said: str | None = None
    seconds: float = 0.0


class _Matrix(BaseModel):
    model_config = ConfigDict(extra="ignore")

    saboteurs: tuple[Leak, ...]


def read_matrix(path: Path) -> tuple[Leak, ...]:
    """What `blindrelay sabotage matrix --out` wrote. Raises `Malformed`: it cannot be read, or is something else."""
    try:
        return _Matrix.model_validate_json(path.read_bytes()).saboteurs
    except OSError as error:
        raise Malformed(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the file"
        raise Malformed(
            f"{path} is no kill matrix ({where}: {error.errors()[0]['msg']}): "
            "expected what `blindrelay sabotage matrix --out FILE` writes"
        ) from error


# --- for programs


def as_json(proof: Proof) -> dict[str, Any]:
    """A proof as JSON has it: `docs/reference/proof.md`."""
    return {
        "format": FORMAT,
        "passed": proof.passed,
        "quick": proof.quick,
        "against": proof.against or None,
        "at": proof.at.isoformat(),
        "seconds": round(proof.seconds, 1),
        "run": dict(proof.facts),
        "troubles": [trouble.model_dump() for trouble in proof.troubles],
        "locks": [
            {
                "lock": lock.value,
                "claim": lock.claim,
                "passed": _holds(verdicts),
                "checks": [_verdict(proof, verdict) for verdict in verdicts],
            }
            for lock, verdicts in _by_lock(proof)
        ],
        "left_out": dict(proof.left_out),
        "cannot_see": [asdict(limit) for limit in CANNOT_SEE],
    }


def _verdict(proof: Proof, verdict: Verdict) -> dict[str, Any]:
    reasons = catalogue.find(verdict.check).reasons
    findings = [asdict(finding) | {"meaning": reasons.get(finding.reason, "")} for finding in verdict.findings]
    told = asdict(verdict) | {"title": proof.title(verdict.check), "passed": verdict.passed, "findings": findings}
    return told | {"seconds": round(verdict.seconds, 1)}


def _by_lock(proof: Proof) -> list[tuple[Lock, list[Verdict]]]:
    return [(lock, proof.of(lock)) for lock in Lock if proof.of(lock)]


def _holds(verdicts: Iterable[Verdict]) -> bool:
    return all(verdict.passed for verdict in verdicts)


# --- for people


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something was examined, for people: `1,896`, or `38.2 MB`."""

    number: str
    what: str
    parts: tuple[str, ...] = ()


def amounts(examined: Mapping[str, int]) -> list[Amount]:
    """What was examined, most telling first: kinds of one thing together, and nothing of which there was none."""
    found: list[Amount] = []
    groups: dict[str, dict[str, int]] = {}
    for what, count in examined.items():
        group, _, kind = what.partition(": ")
        if not count:
            continue
        if kind:
            groups.setdefault(group, {})[kind] = count
        elif what.startswith("bytes "):
            found.append(Amount(size(count), what.removeprefix(_BYTES).removeprefix("bytes ")))
        else:
            found.append(Amount(f"{count:,}", what))
    together = [
        Amount(f"{sum(kinds.values()):,}", group, tuple(f"{kind}: {count:,}" for kind, count in kinds.items()))
        for group, kinds in groups.items()
    ]
    return together + found


def size(count: int) -> str:
    """So many bytes, in the unit in which they are easy to read: `38.2 MB`."""
    value, unit = float(count), _UNITS[0]
    for unit in _UNITS:
        if value < 1_000 or unit == _UNITS[-1]:
            break
        value /= 1_000
    return f"{count:,} {unit}" if unit == _UNITS[0] else f"{value:.1f} {unit}"


def figure(measurement: Measurement) -> str:
    """A measured number with its unit."""
    return f"{measurement.value:.3g}" if measurement.unit == "share" else f"{measurement.value:.3g} {measurement.unit}"


def html(proof: Proof, matrix: Sequence[Leak] | None = None) -> str:
    """A page that stands alone: no script, no font, no picture from elsewhere.

    Args:
        matrix: what became of deliberate leaks, to be shown with it.
    """
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=select_autoescape(["j2"], default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"amounts": amounts, "figure": figure}
    checks = {name: catalogue.find(name) for name in (*(verdict.check for verdict in proof.verdicts), *proof.left_out)}
    return environment.get_template("report.html.j2").render(
        proof=proof,
        locks=[(lock, proof.of(lock)) for lock in Lock],
        checks=checks,
        passed=sum(verdict.passed for verdict in proof.verdicts),
        skipped=[(verdict.check, why) for verdict in proof.verdicts for why in verdict.skipped],
        limits=CANNOT_SEE,
        matrix=matrix,
    )
