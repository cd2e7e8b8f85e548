"""Logs: structured, and no second inventory.

A key that the metadata inventory does not declare does not reach a log line: in production it is dropped, in the tests it is
an error. Of an exception, a line at the default level has its kind and the place in our code; its text, which may quote an
address, is for level DEBUG alone.
"""

import logging
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from blindrelay.relay.inventory import Place, declared

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: The keys that may be logged.
KEYS: Final = declared(Place.LOG)


class UndeclaredKey(ValueError):
    """Something would have been logged that the inventory does not know."""


def configure(*, level: str = "info", as_json: bool = True, strict: bool = False, stream: TextIO | None = None) -> None:
    """Set up the logs of this process.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        as_json: a JSON object a line; else lines for people.
        strict: an undeclared key raises `UndeclaredKey` instead of being dropped.
        stream: where to; standard error by default.
    """
    output = stream or sys.stderr
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=output.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True),
            _Failure(with_text=level == "debug"),
            _only_declared_strictly if strict else _only_declared,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )


class _Failure:
    """Turns `exc_info` into `error` and `place`."""

    def __init__(self, *, with_text: bool) -> None:
        self._with_text = with_text

    def __call__(self, _logger: object, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        info = line.pop("exc_info", None)
        error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
        if isinstance(error, BaseException):
            kind = type(error).__name__
            line["error"] = f"{kind}: {error}" if self._with_text else kind
            line["place"] = _place(error.__traceback__)
        return line


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename.rpartition('blindrelay/')[2]}:{frames[-1].lineno}" if frames else ""


def _only_declared(_logger: object, _name: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in line.items() if key in KEYS}


def _only_declared_strictly(_logger: object, _name: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    if unknown := line.keys() - KEYS:
        raise UndeclaredKey(
            f"log keys {sorted(unknown)} are not in the metadata inventory: declare them, with a reason, or not"
        )
    return line
