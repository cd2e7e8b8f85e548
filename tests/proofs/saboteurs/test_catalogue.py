"""The catalogue of saboteurs: each says where it comes from and how it is found, and brings nobody along."""

import inspect
import subprocess
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import quick
from blindrelay.proofs.saboteurs.catalogue import find, names
from blindrelay.proofs.saboteurs.model import Saboteur, _nothing

EVERY = [find(name) for name in names()]


def module_of(saboteur: Saboteur) -> str:
    """The module that a saboteur is in."""
    return f"blindrelay.proofs.saboteurs.catalogue.{saboteur.name.replace('-', '_')}"


@pytest.mark.parametrize("saboteur", EVERY, ids=lambda each: each.name)
def test_a_saboteur_says_how_it_is_found_and_after_whom_it_is_modelled(saboteur: Saboteur) -> None:
    """By checks that there are, for reasons that they have; it does something; its source is in its docstring."""
    assert saboteur.name in names()
    assert saboteur.title
    assert saboteur.modelled_on
    assert saboteur.caught_by
    for check, reason in saboteur.caught_by:
        assert reason in checks.find(check).reasons
    assert (saboteur.in_relay, saboteur.in_clients) != (_nothing, _nothing)
    assert "odelled on" in str(inspect.getdoc(import_module(module_of(saboteur))))


def test_no_two_do_the_same() -> None:
    """Each has a title of its own."""
    assert [title for title, count in Counter(each.title for each in EVERY).items() if count > 1] == []


def test_a_saboteur_that_there_is_not() -> None:
    """Is named, and so is the way to those that there are."""
    with pytest.raises(LookupError, match=r"there is no saboteur 'ghost': `blindrelay sabotage list` shows them"):
        find("ghost")


def test_every_lock_and_every_check_has_a_saboteur_of_every_day() -> None:
    """The quick matrix shows that each can fail."""
    of_every_day = [find(name) for name in quick.NAMES]

    assert {each.lock for each in of_every_day} == set(Lock)
    assert {check for each in of_every_day for check in each.checks} == set(checks.NAMES)
    assert set(quick.FIRST) < set(quick.NAMES)


def python(program: str) -> str:
    """What a program prints, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_saboteur_brings_no_client_into_the_relay() -> None:
    """What finds it there is what it does, and not that it was loaded."""
    program = """
import sys

for absent in ("blindrelay.clients", "vodozemac", "httpx", "aiomqtt"):
    sys.modules[absent] = None
import blindrelay.relay.server
from blindrelay.proofs.saboteurs.catalogue import every

for saboteur in every():
    saboteur.in_relay()
    print(saboteur.name)
"""
    assert python(program).split() == names()


def misses(*saboteurs: str) -> list[str]:
    """What they give a name to that nothing had, in a process of its own."""
    command = [sys.executable, "-m", "support.aim", *saboteurs]
    tests = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=tests, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_saboteur_replaces_what_there_is() -> None:
    """Else it does nothing once its target has another name, and the whole matrix alone would show it."""
    assert misses(*names()) == []


def test_a_saboteur_that_misses(tmp_path: Path) -> None:
    """Is found out: a method with another name than the store's, a function that a module has not."""
    path = tmp_path / "missing.py"
    path.write_text("""
from blindrelay.proofs.saboteurs.catalogue import wal_never_truncated
from dataclasses import replace


def _in_clients():
    from blindrelay.clients import contacts
    from blindrelay.relay.store.sqlite import SqliteStore

    SqliteStore._checkpoints = contacts._check_key = None


SABOTEUR = replace(wal_never_truncated.SABOTEUR, name="missing", in_clients=_in_clients)
""")
    assert misses(str(path)) == [
        "missing: blindrelay.relay.store.sqlite.SqliteStore had no _checkpoints",
        "missing: blindrelay.clients.contacts had no _check_key",
    ]


def test_the_product_starts_without_saboteurs() -> None:
    """Relay, clients, witness and every command but their own: nothing of them is needed, and nothing imports them late."""
    program = """
import sys

sys.modules["blindrelay.proofs.saboteurs"] = None
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import blindrelay

ROOMS = ("relay", "clients", "policies", "protocol", "witness", "console", "cli")
for room in ROOMS:
    package = import_module(f"blindrelay.{room}")
    for module in walk_packages(package.__path__, f"{package.__name__}."):
        if "sabotage" not in module.name and not module.name.endswith("__main__"):
            import_module(module.name)
            print(module.name)
"""
    assert "blindrelay.cli.prove" in python(program).split()
