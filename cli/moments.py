"""Moments on the command line: ISO 8601, `now`, or a distance from now. And the words of a vocabulary."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

import click

_DISTANCE: Final = re.compile(r"([+-])(\d{1,5})([mhd])")
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def words(members: Iterable[StrEnum]) -> "click.Choice[str]":
    """One of these words, as documents write them. (Of an enumeration itself click would take the names of its members.)"""
    return click.Choice([member.value for member in members])


class MomentType(click.ParamType[datetime]):
    """A moment, in UTC where no zone is named. Seconds at the finest."""

    name = "when"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment, or fail with the forms that there are."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        now = datetime.now(UTC).replace(microsecond=0)
        if text == "now":
            return now
        if match := _DISTANCE.fullmatch(text):
            sign, number, unit = match.groups()
            return now + int(f"{sign}{number}") * _UNITS[unit]
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail(
                f"{text!r} is no moment: expected 2026-11-23, 2026-11-23T14:00+01:00, now, -7d or +2h", param, ctx
            )
        return moment.replace(tzinfo=moment.tzinfo or UTC, microsecond=0)
