"""The line of a person at the desk to the relay that runs: HTTPS, with the token that names the person."""

import json
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import httpx

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.cli.places import home_option, relay_directory
from blindrelay.protocol.endpoint import FILE_NAME, Endpoint

Command = TypeVar("Command", bound=Callable[..., Any])
TOKEN_VARIABLE: Final = "BLINDRELAY_OPERATOR_TOKEN_FILE"  # noqa: S105 - a variable's name
# Suspending a jurisdiction ends its sessions, thousands of them, before it is answered. Seconds.
_TIMEOUT: Final = 60.0


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

    url: str
    ca: str
    token: str = field(repr=False)

    def get(self, path: str) -> Any:
        """Read something; raise `LineFailed`."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Do something; raise `LineFailed`."""
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        context = ssl.create_default_context(cadata=self.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        headers = {"authorization": f"Bearer {self.token}"}
        try:
            # Neither proxies nor certificates of the environment's have a say.
            with httpx.Client(verify=context, trust_env=False, timeout=_TIMEOUT) as client:
                answer = client.request(method, f"{self.url}/v1/operator{path}", json=body, headers=headers)
        except httpx.HTTPError as error:
            raise LineFailed(
                f"the desk at {self.url} does not answer ({type(error).__name__}): is the relay running?",
                ExitCode.RELAY_UNREACHABLE,
            ) from error
        if answer.is_error:
            raise LineFailed(_reason(answer), ExitCode.REFUSED)
        return answer.json()


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return f"{problem['title']}: {problem['detail']}"
    except (json.JSONDecodeError, KeyError, TypeError):
        return f"the desk answered with status {answer.status_code}"


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
    host = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return OperatorLine(
        f"https://{host}:{endpoint.desk_port}",
        (folder / endpoint.ca_certificate).read_text("ascii"),
        token_file.read_text("utf-8").strip(),
    )
