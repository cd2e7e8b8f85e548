"""Logs: structured, and no second inventory.

A key that the metadata inventory does not declare does not reach a log line: in production it is dropped, in the tests it is
an error. Of an exception, a line at the default level has its kind and the place in our code; its text, which may quote an
address, is for level DEBUG alone. In a process of the relay's own that holds for what nobody has caught, too (`take_over`).
"""

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Final, TextIO

import structlog

from blindrelay.relay.inventory import Place, declared

_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
#: The keys that may be logged.
KEYS: Final = declared(Place.LOG)


_log = structlog.get_logger()


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


def take_over(loop: asyncio.AbstractEventLoop) -> None:
    """Make this process's other ways to standard error lines of this log, for good: tracebacks would have texts in them.

    They are the loop's handler of what nobody has caught, Python's hooks for what ends a thread or the process or cannot be
    raised, and what libraries log.
    """
    loop.set_exception_handler(_of_loop)
    sys.excepthook = lambda _, error, __: _log.critical("the relay has failed", exc_info=error)
    threading.excepthook = lambda hook: _log.critical("a thread has failed", exc_info=hook.exc_value)
    sys.unraisablehook = lambda hook: _log.error("something failed where nobody hears of it", exc_info=hook.exc_value)
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)


def _of_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception") or LibrarySays(context.get("message", ""))
    _log.error("something failed that nobody has expected", exc_info=error)


class LibrarySays(Exception):
    """What a library has logged: its text is treated as that of an exception."""


class _Library(logging.Handler):
    """Takes what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        said = error or LibrarySays(f"{record.name}: {record.getMessage()}")
        _log.warning("a library has something to say", exc_info=said)


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
