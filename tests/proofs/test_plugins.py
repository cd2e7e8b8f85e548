"""Checks and saboteurs of one's own, by their file."""

from pathlib import Path

import pytest

from blindrelay.proofs.checks import catalogue as checks
from blindrelay.proofs.plugins import PluginRejected
from blindrelay.proofs.saboteurs import catalogue as saboteurs

SABOTEUR = """
from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur

SABOTEUR = Saboteur(name="NAME", title="nothing", lock=Lock.KEYS, modelled_on="nobody", caught_by=frozenset())
"""
CHECK = """
from blindrelay.proofs.checks.model import Check, Lock

CHECK = Check(name="NAME", lock=Lock.KEYS, title="nothing", reasons={}, needs=(), examine=lambda evidence, report: None)
"""


def written(path: Path, text: str, name: str) -> str:
    """A plug-in in a file, as one would name it."""
    path.write_text(text.replace("NAME", name))
    return str(path)


def test_a_saboteur_goes_by_its_file_and_then_by_its_name(tmp_path: Path) -> None:
    """And other processes are told the file. It is not in the catalogue for all that."""
    file = written(tmp_path / "mine.py", SABOTEUR, "my-own-saboteur")

    found = saboteurs.find(file)

    assert found.name == "my-own-saboteur"
    assert saboteurs.find("my-own-saboteur") is saboteurs.find(file) is found
    assert saboteurs.reference("my-own-saboteur") == file
    assert saboteurs.reference("key-escrow") == "key-escrow"
    assert "my-own-saboteur" not in saboteurs.names()


def test_a_check_goes_by_its_file_and_then_by_its_name(tmp_path: Path) -> None:
    """In the same way."""
    file = written(tmp_path / "mine.py", CHECK, "my-own-check")

    found = checks.find(file)

    assert checks.find("my-own-check") is found
    assert checks.reference("my-own-check") == file
    assert "my-own-check" not in checks.NAMES


def test_a_file_is_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told to others by its whole path."""
    written(tmp_path / "nearby.py", SABOTEUR, "nearby")
    monkeypatch.chdir(tmp_path)

    assert saboteurs.find("./nearby.py").name == "nearby"
    assert saboteurs.reference("nearby") == str(tmp_path / "nearby.py")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no SABOTEUR: it has to be a Saboteur"),
        ("SABOTEUR = 'me'", "has no SABOTEUR: it has to be a Saboteur"),
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def", "cannot be imported: SyntaxError"),
        (SABOTEUR.replace("NAME", "key-escrow"), "there is another saboteur 'key-escrow': rename yours"),
    ],
    ids=["empty", "something else", "an import that fails", "no Python", "a name that is taken"],
)
def test_what_is_no_plug_in_is_said_to_be_none(text: str, why: str, tmp_path: Path) -> None:
    """With its file, and what it lacks."""
    file = written(tmp_path / "mine.py", text, "")

    with pytest.raises(PluginRejected, match=r"mine\.py") as rejected:
        saboteurs.find(file)
    assert why in str(rejected.value)


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """Two files of one name cannot be told apart afterwards."""
    saboteurs.find(written(tmp_path / "one.py", SABOTEUR, "twice"))

    with pytest.raises(PluginRejected, match=r"other\.py: there is another saboteur 'twice': rename yours"):
        saboteurs.find(written(tmp_path / "other.py", SABOTEUR, "twice"))


@pytest.mark.parametrize("name", ["absent.py", "folder/absent", "folder"])
def test_there_is_no_such_file(name: str, tmp_path: Path) -> None:
    """Or it is no file of Python's."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(PluginRejected, match=r"there is no file .*, or it is no Python file \(\.py\)"):
        saboteurs.find(str(tmp_path / name))
