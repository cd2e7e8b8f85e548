"""A case file that does not add up is found, and so is one that adds up and is not what happened."""

from typing import Any

from support.somebody import Somebody, reasons


def test_a_row_that_was_changed(delivered: Somebody) -> None:
    """Each seals those before it."""
    delivered.desk("UPDATE case_event SET at = '2026-01-01T00:00:00+00:00' WHERE id = 20")

    assert reasons(delivered.examine("reconciliation")) >= {"chain"}


def test_a_row_that_was_taken_out(delivered: Somebody) -> None:
    """An approval that is not there any more, with the chain made anew."""
    of_a_package = "SELECT case_id, json_extract(body, '$.demand') FROM case_event WHERE step = 'packaged'"
    approved = f"step = 'approved' AND (case_id, json_extract(body, '$.demand')) IN ({of_a_package})"
    delivered.desk(f"DELETE FROM case_event WHERE id = (SELECT min(id) FROM case_event WHERE {approved})")
    delivered.seal()

    verdict = delivered.examine("reconciliation")

    assert reasons(verdict) == {"unapproved"}
    assert "was released with 1 of 2 approvals" in verdict.findings[0].text


def test_one_person_who_approves_twice(delivered: Somebody) -> None:
    """Two are asked for, and they are different ones."""
    delivered.desk("UPDATE case_event SET body = json_set(body, '$.by', 'anna') WHERE step = 'approved'")
    delivered.seal()

    assert reasons(delivered.examine("reconciliation")) == {"unapproved"}


def test_a_request_that_nobody_has_signed(delivered: Somebody) -> None:
    """It is another one than the signature is of."""
    delivered.edit("received", lambda body: body["request"]["authorisation"].update(reference="OTHER"))

    verdict = delivered.examine("reconciliation")

    assert reasons(verdict) == {"unasked"}
    assert "is another one than was signed" in verdict.findings[0].text


def test_a_signature_that_is_of_nobody(delivered: Somebody) -> None:
    """A bit of it is another."""

    def change(body: dict[str, Any]) -> None:
        head, payload, signature = body["jws"].split(".")
        body["jws"] = ".".join((head, payload, ("B" if signature[0] == "A" else "A") + signature[1:]))

    delivered.edit("received", change)

    verdict = delivered.examine("reconciliation")

    assert reasons(verdict) == {"unasked"}
    assert "is not signed by" in verdict.findings[0].text


def test_an_authority_that_was_never_entered(delivered: Somebody) -> None:
    """Its certificate vouches for nobody."""
    delivered.desk("DELETE FROM case_event WHERE step = 'authority-entered' AND body LIKE '%\"us-judge\"%'")
    delivered.seal()

    verdict = delivered.examine("reconciliation")

    assert reasons(verdict) == {"unasked"}
    assert "no authority of this name was ever entered" in verdict.findings[0].text


def test_a_package_that_is_not_the_one_that_was_made(delivered: Somebody) -> None:
    """It waits to be fetched, and nobody has written it down."""
    package = next((delivered.data / "packages").rglob("*.package"))
    package.write_bytes(package.read_bytes() + b"\0")

    verdict = delivered.examine("reconciliation")

    assert reasons(verdict) == {"not-recorded"}
    assert "waits to be handed over" in verdict.findings[0].text


def test_a_package_that_was_handed_over_and_never_made(delivered: Somebody) -> None:
    """Whatever it was."""
    delivered.edit("released", lambda body: body.update(demand="other"))

    assert reasons(delivered.examine("reconciliation")) == {"not-recorded"}


def test_records_of_a_class_that_was_not_granted(delivered: Somebody) -> None:
    """The package has them all the same."""
    delivered.edit("packaged", lambda body: body["records"].update(CONTENT=1))

    assert reasons(delivered.examine("reconciliation")) == {"not-granted"}
