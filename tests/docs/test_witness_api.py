"""The page of the witness says what the witness does."""

import inspect
import re
from pathlib import Path

import pytest

from blindrelay.protocol.transparency.note import MAX_SIGNATURES
from blindrelay.protocol.transparency.submission import MAX_PROOF, MAX_SUBMISSION, PATH, SIZE_MEDIA_TYPE, Submission
from blindrelay.witness import application, service
from blindrelay.witness.errors import SplitView
from blindrelay.witness.folder import MAX_SPLIT_VIEWS, Folder
from blindrelay.witness.service import Witness
from support.party import HandClock
from support.witnessed import Operator, cosigner_in, forked

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "witness-api.md").read_text()


def test_every_status_is_documented() -> None:
    """Those of the table of refusals, and those of a body that is too long or too slow."""
    documented = {int(status) for status in re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)}

    assert documented == {200, 408, 413, *application.STATUS.values()}
    assert f"`{SIZE_MEDIA_TYPE}`" in PAGE


def test_every_address_is_documented(tmp_path: Path) -> None:
    """And no other."""
    documented = re.findall(r"^\| `((?:GET|POST) [^`]+)` \|", PAGE, re.MULTILINE)
    with cosigner_in(tmp_path, HandClock()) as cosigner:
        routes = application.WitnessApplication(Folder.read(tmp_path), cosigner, None, print).asgi().routes  # type: ignore[arg-type]
    there = {
        f"{method} {getattr(route, 'path', '').replace('{digest}', '<origin hash>')}"
        for route in routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }

    assert set(documented) == there
    assert f"POST {PATH}" in documented


def test_the_limits_are_documented() -> None:
    """A limit that changes in the code changes on the page."""
    assert f"{service.MAX_CONNECTIONS} connections at once; {service.HEAD_SECONDS:g} seconds for the head" in PAGE
    assert f"{MAX_PROOF} hashes in a proof; {MAX_SIGNATURES} signatures in a note" in PAGE
    assert f"longer than {MAX_SUBMISSION:,} bytes" in PAGE
    assert f"longer than {application.BODY_SECONDS:g} seconds" in PAGE
    assert f"{MAX_SPLIT_VIEWS} at most" in PAGE


def test_the_example_is_a_submission() -> None:
    """What the page shows is parsed."""
    (example,) = re.findall(r"```\n(old .*?)```", PAGE, re.DOTALL)

    assert Submission.parse(example.encode()).old_size == 20_852_014


def test_every_file_of_the_folder_is_documented(tmp_path: Path) -> None:
    """A witness that has seen everything leaves nothing that the page does not name."""
    operator = Operator()
    with cosigner_in(tmp_path, HandClock(), operator.key.verifier) as cosigner:
        cosigner.submit(operator.submission(0, 3))
        with pytest.raises(SplitView):
            cosigner.submit(operator.submission(3, 3, forked(1)))
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    named = {re.sub(r"[0-9a-f]{64}", "<origin hash>", file) for file in files}
    there = {re.sub(r"split-view/.*", "split-view/", file) for file in named}
    (table,) = re.findall(r"^## In the folder\n(.*?)^Folders", PAGE, re.MULTILINE | re.DOTALL)
    documented = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }

    assert documented == there


def test_the_program_of_the_page_is_one() -> None:
    """Its keywords are those of the class."""
    (call,) = re.findall(r"with Witness\((.*?)\) as", PAGE, re.DOTALL)
    keywords = re.findall(r"(\w+)=", call)

    assert set(keywords) <= set(inspect.signature(Witness).parameters)
