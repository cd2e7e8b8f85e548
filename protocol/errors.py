"""The root of every error that Blindrelay raises on purpose.

BlindrelayError
 +- Malformed            bytes or text from outside that are not what their place demands
 +- VerificationFailed   a signature, chain or binding does not hold
 +- (relay/errors.py, clients/errors.py: what the two sides add)
"""


class BlindrelayError(Exception):
    """An error with a message for people: what was wrong, what was expected."""


class Malformed(BlindrelayError, ValueError):
    """Input from outside is not of the form that its place demands.

    It is a `ValueError` too, so that a validator of a pydantic model may raise it as it is.
    """


class VerificationFailed(BlindrelayError):
    """A check of authenticity failed; `check` names which one, for users and tests alike."""

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(f"{check}: {reason}")
        self.check = check
        self.reason = reason
