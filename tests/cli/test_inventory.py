"""`blindrelay inventory` prints the registry, all of it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.relay.inventory import chart, rows
from support.commands import Ran


def test_json_is_the_registry(blindrelay: Callable[..., Ran]) -> None:
    """Programs get every field, in the registry's order, with nothing left out."""
    printed = [json.loads(line) for line in blindrelay("inventory", "--json").out.splitlines()]
    assert printed == [asdict(row) for row in rows()]


def test_chart_has_every_datum_about_people(blindrelay: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page for lawyers shows each field with both postures and whether it can be disclosed."""
    monkeypatch.setenv("COLUMNS", "200")
    lines = [" ".join(line.split()) for line in blindrelay("inventory").out.splitlines()]
    for row in chart():
        kept = row.retention if "kept" in (row.standard, row.sealed) else "-"
        assert any(line.endswith(f"{row.field} {row.standard} {row.sealed} {kept} {row.disclosable}") for line in lines)


def test_everything_is_printed_on_demand(blindrelay: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    """With --all the log keys and record numbers are there, too."""
    monkeypatch.setenv("COLUMNS", "400")
    out = blindrelay("inventory", "--all").out
    assert all(row.where in out and row.purpose in out for row in rows())


def test_windows_are_those_of_the_configuration(blindrelay: Callable[..., Ran], tmp_path: Path) -> None:
    """An operator prints the chart of their own relay."""
    file = tmp_path / "relay.toml"
    file.write_text("[retention]\ntraffic_days = 7\n")
    assert "7 days" in blindrelay("inventory", "--config", file).out
    assert blindrelay("inventory", "--config", tmp_path / "none").code == ExitCode.BAD_CONFIGURATION
