"""Writes the reference of the console's interface: `python -m blindrelay.console.reference docs/reference/console.md`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from fastapi.routing import APIRoute

from blindrelay.console.desktop import Desktop
from blindrelay.console.rights import RIGHTS, Right, Role
from blindrelay.console.security import HEADERS
from blindrelay.console.streams import STREAMS
from blindrelay.console.views import VIEWS

_HEAD: Final = """\
# The console's interface

`blindrelay console` serves pages for people. What they are made of is below; it may change with any release, and nothing else
is to be built on it: programs have [the desk's interface](lawful-access-api.md), [the logs](logs.md) and `--json`.

This page is written by `python -m blindrelay.console.reference`.
"""
_SIGN_IN: Final = """\
## Signing in

A link, `/sign-in#<token>`, is good for one sign-in, for twelve hours. The token stands behind the `#`: it reaches no log of a
server and no referrer. The page gives it to `POST /sign-in`, and gets the cookie `blindrelay-console-<port>`: `HttpOnly`,
`SameSite=Strict`, `Secure` over HTTPS, for twelve hours. Links and sessions end with the console.

- `POST /sign-in` `{"token": ...}`: 200 with `{"start": "/live"}`, or 401
- `POST /sign-out`: 303
- `GET /api/me`: who has signed in, and what they may
- `POST /api/links` `{"role": ...}`: `{"path": "/sign-in#..."}` for somebody who may no more than oneself
"""
_STREAMS: Final = """\
## Streams

Server-sent events. Each event is a JSON object: `items`, a list of states; `whole`, whether these are all that there are;
`dropped`, how many were passed over because there were too many. A state has a `key` and replaces what was said of that key
before; with `"gone": true` there is no such thing any more. A stream begins with a whole, and so it does when it is taken up
again.
"""
_HEADERS: Final = """\
## What every answer carries

Anything but GET and HEAD is answered with 403 unless its `Origin` is the console's own, and everything with 400 unless its
`Host` is.
"""


def text() -> str:
    """The page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "## Roles\n"
    yield f"| may | {' | '.join(Role)} |"
    yield f"|---|{'---|' * len(Role)}"
    for right in Right:
        yield f"| {right} | {' | '.join('yes' if right in RIGHTS[role] else '-' for role in Role)} |"
    yield "\nThere is a demonstrator only where the people are a demonstration's (`blindrelay demo --open`).\n"
    yield _SIGN_IN
    yield "## Pages\n"
    yield "| page | shows | for whoever may |\n|---|---|---|"
    yield from (f"| `/{view.name}` | {view.summary} | {view.needs} |" for view in VIEWS)
    yield ""
    yield _STREAMS
    yield "| stream | for whoever may |\n|---|---|"
    yield from (f"| `/events/{name}` | {right or 'sign in'} |" for name, right in STREAMS.items())
    yield "\n## What the pages ask for\n"
    yield "| request | what it is |\n|---|---|"
    desktop = Desktop(Path())
    for view in VIEWS:
        yield from _routes(f"/api/{view.name}", view.routes(desktop))
    yield ""
    yield _HEADERS
    yield "```"
    yield from (f"{name}: {value}" for name, value in HEADERS)
    yield "```\n"


def _routes(prefix: str, router: APIRouter) -> Iterator[str]:
    for route in router.routes:
        assert isinstance(route, APIRoute)  # noqa: S101 - a view has no others
        what = " ".join((route.endpoint.__doc__ or "").split())
        yield f"| `{'/'.join(sorted(route.methods or ()))} {prefix}{route.path}` | {what} |"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text(), encoding="utf-8")
    else:
        sys.stdout.write(text())
