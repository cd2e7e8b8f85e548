"""How large the envelope of a letter is, worked out with the clients' own encoders, without keys, sessions or a relay.

Two versions of a letter that are to be in the same bucket have to be so to the byte: an answer has thirty bytes more than a
letter that is none, and near the end of a bucket that is another bucket.
"""

from typing import Final

from blindrelay.clients import content, parts
from blindrelay.clients.content import Letter
from blindrelay.clients.envelope import MIN_BUCKET, OVERHEAD
from blindrelay.protocol.address import DeviceAddress
from blindrelay.protocol.sizes import padme

#: Of the checkpoint that each letter carries (`Letter.seen`), in bytes, and how much it may differ from that in the letter: the
#: number of entries in it has a digit more or less.
SEEN: Final = 195
_UNSURE: Final = range(-8, 9)
#: A normal message of Olm: AES-CBC in whole blocks, and around it version, ratchet key, place in the chain, lengths and MAC.
_BLOCK: Final = 16
_AROUND: Final = 48
#: A frame: version, kind, the sender's length and the message's.
_FRAME: Final = 7


def possible(letter: Letter, sender: DeviceAddress) -> tuple[int, ...]:
    """The sizes that the envelope of a letter between acquaintances may have, for each byte that is not known here."""
    length = len(next(parts.split(content.encode(letter), 0)))
    return tuple(_sealed(length + more, len(str(sender))) for more in _UNSURE)


def _sealed(length: int, sender: int) -> int:
    message = (length // _BLOCK + 1) * _BLOCK + _AROUND
    return padme(max(OVERHEAD + _FRAME + sender + message, MIN_BUCKET))
