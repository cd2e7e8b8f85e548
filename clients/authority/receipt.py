"""Checks that a disclosure is in the relay's public log `lawful-access`, and came after its request and its decision.

A package without such a receipt is one that nobody can ever be told of: it is not opened.
"""

from uuid import UUID

from blindrelay.clients.errors import ClientError
from blindrelay.policies.leaves import OpenedEntry, Receipt
from blindrelay.protocol.errors import Malformed, VerificationFailed
from blindrelay.protocol.transparency.merkle import verify_inclusion
from blindrelay.protocol.transparency.policy import Trust, Witnessed


class ReceiptRejected(ClientError):
    """The public log does not account for the package. `check` says what failed.

    `checkpoint` (not signed by the log, or by too few witnesses), `inclusion` (an entry is not in it), `case` (an entry is of
    another case), `order` (the package does not come after a request and a decision), `request` (the log has another request),
    `package` (the log has another package: two under one entry, or none for this one).
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason


def verify(
    receipt: Receipt, trust: Trust, *, case: UUID, demand: str, package: str, requests: frozenset[str] = frozenset()
) -> Witnessed:
    """Check the receipt of a package whose sealed file has the SHA-256 `package` (hex); return the checkpoint it holds by.

    Args:
        trust: by what the log is verified.
        requests: SHA-256, in hex, of the request as this authority has signed it, each time; none: it is not at hand.

    Raises:
        ReceiptRejected: see there.
    """
    witnessed = _checkpoint(receipt, trust)
    head = witnessed.checkpoint
    for entry in receipt.entries:
        try:
            verify_inclusion(entry.leaf, entry.index, head.size, entry.path, head.root)
        except VerificationFailed as error:
            raise ReceiptRejected("inclusion", f"a {entry.opening.step} is not in the log: {error.reason}") from None
        if entry.opening.case != case:
            raise ReceiptRejected("case", f"an entry is of the case {entry.opening.case}")
    _check_package(receipt, demand, package)
    _check_before(receipt, requests)
    return witnessed


def _checkpoint(receipt: Receipt, trust: Trust) -> Witnessed:
    try:
        return trust.open(receipt.checkpoint)
    except VerificationFailed as error:
        raise ReceiptRejected("checkpoint", error.reason) from None
    except Malformed as error:
        raise ReceiptRejected("checkpoint", str(error)) from None


def _check_package(receipt: Receipt, demand: str, package: str) -> None:
    found = [entry.opening for entry in _of(receipt, "package") if entry.opening.demand == demand]
    if not found:
        raise ReceiptRejected("package", f"the log has no package for {demand}: nothing was to leave")
    if len(found) != 1 or found[0].document != package:
        raise ReceiptRejected(
            "package", f"the log has another package for {demand} than the one that was handed over ({package})"
        )


def _check_before(receipt: Receipt, requests: frozenset[str]) -> None:
    last = max(entry.index for entry in _of(receipt, "package"))
    for step in ("request", "decision"):
        if not any(entry.index < last for entry in _of(receipt, step)):
            raise ReceiptRejected("order", f"the log has no {step} before the package")
    logged = {entry.opening.document for entry in _of(receipt, "request")}
    if requests and not logged <= requests:
        raise ReceiptRejected("request", "the log has another request than the one that we have signed")


def _of(receipt: Receipt, step: str) -> list[OpenedEntry]:
    return [entry for entry in receipt.entries if entry.opening.step == step]
