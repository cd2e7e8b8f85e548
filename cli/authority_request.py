"""`blindrelay authority request`: from options and files to a signed request."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import click
import yaml
from pydantic import ValidationError

from blindrelay.cli.answers import show
from blindrelay.cli.authorities import Office, office_options
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.moments import MomentType, words
from blindrelay.cli.output import JSON_OPTION
from blindrelay.clients.authority.identity import AuthorityIdentity
from blindrelay.policies.exchange import CaseAnswer, RelayIdentity
from blindrelay.policies.request import DeliveryType, LawfulRequest, TargetFormat
from blindrelay.policies.vocabulary import AuthorityKind, DataClass, Mode, Purpose, Scope, Urgency
from blindrelay.protocol.errors import Malformed

_MAX_FILE: Final = 262_144
_WHEN: Final = MomentType()
#: What the command fills in: who asks whom, and when.
_OURS: Final = frozenset({"version", "id", "sender", "officer", "receiver", "timestamp"})
_SCOPES: Final = {
    TargetFormat.USER: Scope.ACCOUNTS,
    TargetFormat.DEVICE: Scope.ACCOUNTS,
    TargetFormat.TENANT: Scope.TENANT,
    TargetFormat.ALL_USERS: Scope.ALL_USERS,
}


#: Which options fill in what of the request.
_OPTIONS: Final = {
    "authorisation.instrument": "--instrument",
    "authorisation.jurisdiction": "--instrument",
    "authorisation.reference": "--reference",
    "authorisation.timespan": "--valid-from, --valid-until",
    "authorisation.timespan.start": "--valid-from",
    "authorisation.timespan.end": "--valid-until",
    "authorisation.purpose": "--purpose",
    "demands": "--class, --target, --from, --until",
    "demands.0.data.classes": "--class",
    "demands.0.data.window.start": "--from",
    "demands.0.data.window.end": "--until",
}


class Refused(click.UsageError):
    """The request cannot be put together."""


@click.command(
    epilog="""\b
Examples:
  blindrelay authority request --instrument us/d-order --reference 26-cv-1 \\
      --issuer judge --issuer-name "Hon. J. Doe" --valid-from -1d --valid-until +30d \\
      --purpose investigate --offence-years 5 \\
      --class TRAFFIC --target bob@globex.example --from -7d --until now
  blindrelay authority request --instrument eu/epoc-traffic ... --harm "The director is the suspect." --notified
  blindrelay authority request --file order.yaml
  blindrelay authority request --file order.yaml --dry-run          print what would be signed

\b
A moment is 2026-11-23, 2026-11-23T14:00+01:00, now, -7d, +2h or -30m; without a zone it is UTC.
A file holds `authorisation` and `demands` as the reference describes them (YAML or JSON); options override it.
"""
)
@click.option(
    "--file", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The request, YAML or JSON."
)
@click.option("--instrument", help="Such as us/d-order: see `blindrelay policy matrix`.")
@click.option("--reference", help="The issuer's own number.")
@click.option("--issuer", type=words(AuthorityKind), help="What the issuer of the instrument is.")
@click.option("--issuer-name", help="Who issued it.")
@click.option("--valid-from", type=_WHEN, help="From when on the instrument is in force.")
@click.option("--valid-until", type=_WHEN, help="Until when.")
@click.option("--purpose", type=words(Purpose), help="What for.")
@click.option("--offence-years", type=click.IntRange(0, 100), help="Highest penalty of the offence, in years.")
@click.option("--emergency", metavar="GROUNDS", help="Life or limb is in danger: why.")
@click.option("--gag-basis", help="The user may not be told: by which law.")
@click.option("--gag-until", type=_WHEN, help="Until when not; without it, until further notice.")
@click.option("--harm", metavar="WHY", help="Why asking the enterprise first would harm the investigation.")
@click.option("--notified", is_flag=True, help="The authority of the enforcing state has been notified.")
@click.option(
    "--mutual-assistance", metavar="REFERENCE", help="The requested state's own order, which this comes with."
)
@click.option("--test", "is_test", is_flag=True, help="A test: it is decided, and nothing is disclosed.")
@click.option("--class", "classes", type=words(DataClass), multiple=True, help="What is asked for; may be repeated.")
@click.option("--mode", type=words([Mode.STORED, Mode.PRESERVE, Mode.STREAM]), help="How.  [default: stored]")
@click.option(
    "--target",
    "targets",
    multiple=True,
    help="About whom: bob@globex.example, globex.example/bob/phone, globex.example, or *; may be repeated.",
)
@click.option("--continues", metavar="CASE/DEMAND", help="The preservation that this renews, or has produced.")
@click.option("--from", "since", type=_WHEN, help="The window that is asked for: from when on.")
@click.option("--until", type=_WHEN, help="Until when.")
@click.option("--dry-run", is_flag=True, help="Do not ask: print what would be signed.")
@JSON_OPTION
@office_options
def request(office: Office, file: Path | None, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Hand in a request, and read the answer as the letter that it is.

    Nothing is assumed in your favour: an instrument, a window or a purpose that is not stated is an error.
    """
    document = _read(file) if file else {}
    _add_authorisation(document, options)
    _add_demand(document, options)
    if dry_run:
        identity = office.identity()
        relay = identity.relay()
        request = _valid(document, identity, relay.id if relay else "the relay that will be asked")
        click.echo(json.dumps(request.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    answer = interruptible(_hand_in(office, document))
    show(answer, as_json=as_json)


async def _hand_in(office: Office, document: dict[str, Any]) -> CaseAnswer:
    async with office.connect() as desk:
        relay: RelayIdentity = desk.relay
        request = _valid(document, desk.identity, relay.id)
        try:
            answer = await desk.request(request)
        finally:  # the answer may be lost, and the request on record
            office.docket.keep_request(request.id, desk.last_call)
    office.docket.keep(answer)
    return answer


def _read(path: Path) -> dict[str, Any]:
    """The file, as far as it is ours to interpret: a mapping, without what only the command can know."""
    try:
        with path.open("rb") as file:
            document = yaml.safe_load(file.read(_MAX_FILE))  # JSON is YAML
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise Malformed(f"{path} cannot be read as YAML or JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed(f"{path} holds no request: expected a mapping with `authorisation` and `demands`")
    if ours := _OURS & document.keys():
        raise Malformed(f"{path}: {', '.join(sorted(ours))}: leave that out, the command fills it in")
    return document


def _add_authorisation(document: dict[str, Any], options: dict[str, Any]) -> None:
    order: dict[str, Any] = document.setdefault("authorisation", {})
    for key, name in (
        ("instrument", "instrument"),
        ("reference", "reference"),
        ("purpose", "purpose"),
        ("offence_years", "offence_max_years"),
        ("emergency", "emergency_grounds"),
        ("harm", "harm_to_investigation"),
        ("mutual_assistance", "mutual_assistance_reference"),
    ):
        if options[key] is not None:
            order[name] = options[key]
    if options["instrument"] is not None:
        order["jurisdiction"] = options["instrument"].partition("/")[0]
    if options["notified"]:
        order["enforcing_authority_notified"] = True
    if options["is_test"]:
        order["is_test"] = True
    if options["valid_from"] or options["valid_until"]:
        order["timespan"] = {"start": options["valid_from"], "end": options["valid_until"]}
    if options["issuer"] or options["issuer_name"]:
        order["approvals"] = [_approval(order, options)]
    if options["emergency"] is not None:
        order["urgency"] = Urgency.EMERGENCY
    if options["gag_until"] and not options["gag_basis"]:
        raise Refused("--gag-until needs --gag-basis: by which law is the user not to be told?")
    if options["gag_basis"]:
        order["non_disclosure"] = {"legal_basis": options["gag_basis"], "until": options["gag_until"]}
    # These two have no wide reading: routine, and the user is told.
    order.setdefault("urgency", Urgency.ROUTINE)
    order.setdefault("non_disclosure", None)
    order.setdefault("offence_max_years", None)
    order.setdefault("approvals", [])


def _approval(order: dict[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    if not options["issuer"] or not options["issuer_name"]:
        raise Refused("--issuer and --issuer-name go together: what the issuer is, and who")
    return {
        "role": options["issuer"],
        "name": options["issuer_name"],
        "reference": order.get("reference"),
        "timestamp": options["valid_from"] or datetime.now(UTC),
        "is_emergency": options["emergency"] is not None,
    }


def _add_demand(document: dict[str, Any], options: dict[str, Any]) -> None:
    """The demand of the options, instead of those of the file."""
    given = [key for key in ("classes", "targets", "since", "until", "mode", "continues") if options[key]]
    if not given:
        return
    if document.get("demands"):
        raise Refused("the file has demands of its own: leave --class, --target, --from and the like out")
    if not options["targets"]:
        raise Refused("about whom? name a --target, such as bob@globex.example")
    targets = [_target(text) for text in options["targets"]]
    scopes = {_SCOPES[TargetFormat(target["format"])] for target in targets}
    if len(scopes) > 1:
        raise Refused("accounts, enterprises and everybody are demands of their own: write them in a --file")
    mode = Mode(options["mode"] or Mode.STORED)
    document["demands"] = [
        {
            "kind": "data",
            "id": "d1",
            "classes": list(options["classes"]),
            "mode": mode,
            "scope": scopes.pop(),
            "targets": targets,
            "window": {"start": options["since"], "end": options["until"]},
            "delivery_type": DeliveryType.IRI_ONLY if mode is Mode.STREAM else None,
            "continues": options["continues"],
        }
    ]


def _target(text: str) -> dict[str, str]:
    if text == "*":
        kind = TargetFormat.ALL_USERS
    elif "@" in text:
        kind = TargetFormat.USER
    elif "/" in text:
        kind = TargetFormat.DEVICE
    else:
        kind = TargetFormat.TENANT
    return {"format": kind, "value": text}


def _valid(document: dict[str, Any], identity: AuthorityIdentity, relay_id: str) -> LawfulRequest:
    ours = {
        "id": uuid4(),
        "sender": identity.card.id,
        "officer": identity.officer,
        "receiver": relay_id,
        "timestamp": datetime.now(UTC).replace(microsecond=0),
    }
    try:
        return LawfulRequest.model_validate({**document, **ours})
    except ValidationError as error:
        lines = [
            f"  {_named('.'.join(str(part) for part in each['loc']))}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)[:8]
        ]
        raise Refused("the request is not complete, or not understood:\n" + "\n".join(lines)) from error


def _named(place: str) -> str:
    """A place in the document, with the options that fill it in."""
    options = _OPTIONS.get(place)
    return f"{place} ({options})" if options else place
