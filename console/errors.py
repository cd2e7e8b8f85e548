"""What can go wrong with a console, in words for whoever starts it."""

from blindrelay.protocol.errors import BlindrelayError


class ConsoleError(BlindrelayError):
    """The console cannot do what was asked; the message says what was expected."""


class AddressInUse(ConsoleError):
    """The listening address is taken, or is not ours to take."""


class NotPrivate(ConsoleError):
    """It would be reached from elsewhere without encryption."""


def sentence(error: ConsoleError) -> str:
    """The message as a page shows it."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
