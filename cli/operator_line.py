"""The line of a person at the desk to the relay that runs: HTTPS, with the token that names the person."""

import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint

Command = TypeVar("Command", bound=Callable[..., Any])
TOKEN_VARIABLE: Final = "BLINDRELAY_OPERATOR_TOKEN_FILE"  # noqa: S105 - a variable's name
# To look at something. Seconds.
_PATIENCE: Final = 60.0
# To do something: the last approval is answered when the package is made, a hundred million records in a quarter of an hour.
_LONG_PATIENCE: Final = 3_600.0
_ERROR: Final = 400


class LineFailed(click.ClickException):
    """The desk did not do what was asked; the message says why."""

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]

    def show(self, file: Any = None) -> None:
        """One sentence on stderr."""
        click.echo(f"blindrelay: {self.format_message()}", err=True, file=file)


@dataclass(frozen=True, slots=True)
class OperatorLine:
    """Calls the operators' routes of a desk."""

    host: str
    port: int
    ca: str
    token: str = field(repr=False)

    def get(self, path: str) -> Any:
        """Read something; raise `LineFailed`."""
        return self._call("GET", path, None, _PATIENCE)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Do something; raise `LineFailed`."""
        return self._call("POST", path, body, _LONG_PATIENCE)

    def _call(self, method: str, path: str, body: dict[str, Any] | None, patience: float) -> Any:
        context = ssl.create_default_context(cadata=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        # The standard library's, so that a relay that is installed alone has an operator's commands; and neither proxies nor
        # certificates of the environment's have a say.
        connection = HTTPSConnection(self.host, self.port, timeout=patience, context=context)
        try:
            connection.request(method, f"/v1/operator{path}", data, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, HTTPException) as error:
            raise LineFailed(
                f"the desk at {self.host}:{self.port} does not answer ({type(error).__name__}): is the relay running?",
                ExitCode.RELAY_UNREACHABLE,
            ) from error
        finally:
            connection.close()
        if answer.status >= _ERROR:
            raise LineFailed(_reason(answer.status, text), ExitCode.REFUSED)
        return json.loads(text)


def _reason(status: int, text: bytes) -> str:
    try:
        problem = json.loads(text)
        return f"{problem['title']}: {problem['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"the desk answered with status {status}"


def line_options(command: Command) -> Command:
    """Add what finding the desk takes, and hand the command one `line`."""

    def speak(**options: Any) -> Any:
        line = _line(options.pop("data_dir") or relay_directory(options.pop("home")), options.pop("token_file"))
        options.pop("home", None)
        return command(line=line, **options)

    speak.__doc__, speak.__name__ = command.__doc__, command.__name__
    speak.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated = click.option(
        "--token-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar=TOKEN_VARIABLE,
        show_envvar=True,
        required=True,
        help="The file with your token: it says who you are.",
    )(home_option(speak))
    return click.option(  # type: ignore[return-value]
        "--data-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="The data directory of the relay, which is running.  [default: relay/ in the home]",
    )(decorated)


def _line(folder: Path, token_file: Path) -> OperatorLine:
    place = folder / FILE_NAME
    if not place.exists():
        raise LineFailed(
            f"there is no {place}: a relay leaves it there while it runs (`blindrelay up`)",
            ExitCode.RELAY_UNREACHABLE,
        )
    endpoint = Endpoint.read(place)
    if endpoint.desk_port is None:
        raise LineFailed(f"the relay of {folder} runs without a lawful desk", ExitCode.RELAY_UNREACHABLE)
    if token_file.stat().st_mode & 0o077 and os.name == "posix":
        raise LineFailed(
            f"{token_file} can be read by others, and so is nobody's: chmod 600, or have a new token made",
            ExitCode.USAGE,
        )
    return OperatorLine(
        endpoint.host,
        endpoint.desk_port,
        (folder / endpoint.ca_certificate).read_text("ascii"),
        token_file.read_text("utf-8").strip(),
    )
