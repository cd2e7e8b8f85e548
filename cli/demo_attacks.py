"""`blindrelay demo --attack`: what a malicious relay can try, carried out before your eyes."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click
import structlog

from blindrelay.cli.demo_attacks_views import show_list, show_outcome, show_sum
from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.interrupts import interruptible
from blindrelay.cli.output import console, emit
from blindrelay.proofs.attacks import catalogue
from blindrelay.proofs.attacks.model import Attack, Variant
from blindrelay.proofs.attacks.play import carry_out
from blindrelay.relay import logs

_LIST, _ALL = "list", "all"

_Chosen = list[tuple[Attack, Variant]]


def perform(name: str, *, as_json: bool) -> int:
    """Carry out the attack of this name, in each of its ways or in one; `list` tells what there is, `all` tries everything.

    Raises:
        click.UsageError: there is no such attack.
    """
    chosen = _choose(name)
    if name == _LIST:
        for attack, variant in chosen if as_json else []:
            emit(attack.record(variant))
        if not as_json:
            show_list(console(), catalogue.every())
        return ExitCode.OK
    with _quiet():
        return interruptible(_carry_out(chosen, as_json=as_json))


def _choose(name: str) -> _Chosen:
    if name in {_LIST, _ALL}:
        return [(attack, variant) for attack in catalogue.every() for variant in attack.variants]
    attack_name, _, variant_name = name.partition("/")
    try:
        attack = catalogue.find(attack_name)
    except LookupError as error:
        raise click.UsageError(f"{error}; `blindrelay demo --attack list` tells what each does") from None
    chosen = [(attack, variant) for variant in attack.variants if variant_name in {"", variant.name}]
    if not chosen:
        ways = ", ".join(f"{attack_name}/{variant.name}" for variant in attack.variants)
        raise click.UsageError(f"{attack_name} is not carried out in the way {variant_name!r}: expected one of {ways}")
    return chosen


async def _carry_out(chosen: _Chosen, *, as_json: bool) -> int:
    output, started = console(), time.monotonic()
    outcomes = []
    for attack, variant in chosen:
        what = f"{attack.name}/{variant.name}: a relay, two enterprises and their people"
        with nullcontext() if as_json else output.status(what):
            outcome = await carry_out(attack, variant)
        if as_json:
            emit(outcome.record())
        else:
            show_outcome(output, outcome)
        outcomes.append(outcome)
    if not as_json:
        show_sum(output, outcomes, time.monotonic() - started)
    return ExitCode.OK if all(outcome.caught for outcome in outcomes) else ExitCode.FAILED


@contextmanager
def _quiet() -> Iterator[None]:
    """What relay and clients warn of while they are attacked is what is shown; the rest of it would be said twice."""
    clients, kept = logging.getLogger("blindrelay.clients"), structlog.get_config()
    level = clients.level
    clients.setLevel(logging.CRITICAL)
    logs.configure(level="error", as_json=False)
    try:
        yield
    finally:
        clients.setLevel(level)
        structlog.configure(**kept)
