"""What nodes call things when they wake each other up: keyed hashes, so that whoever runs NATS learns no address.

    blindrelay.<cluster>.mail.<node>.<hash>    a mailbox whose device is connected to that node has news

It has no body; of everything else the database tells the nodes. The key is the nodes' alone (`identity`); without it a hash
says neither whose mailbox it is nor whether two clusters have the same people.
"""

from hashlib import blake2b
from typing import Final

_PREFIX: Final = "blindrelay"
# 64 bits: among a million mailboxes two share a hash with a chance of 1 to 37 million, and then one is looked at in vain.
_HASH_BYTES: Final = 8


class Subjects:
    """The subjects of one cluster. `key`: 32 bytes that all of its nodes have, and nobody else."""

    def __init__(self, key: bytes) -> None:
        self._mailboxes = blake2b(key=key, digest_size=_HASH_BYTES, person=b"mailbox")
        cluster = blake2b(key=key, digest_size=_HASH_BYTES, person=b"cluster").hexdigest()
        self.root = f"{_PREFIX}.{cluster}"

    def mail(self, node: int, mailbox_id: int) -> str:
        """That a mailbox has news, for the node where its device is."""
        return f"{self.root}.mail.{node}.{self.hash(mailbox_id)}"

    def all_mail(self, node: int) -> str:
        """Everything that `mail` says to a node."""
        return f"{self.root}.mail.{node}.*"

    def hash(self, mailbox_id: int) -> str:
        """What a mailbox is called."""
        hashing = self._mailboxes.copy()
        hashing.update(mailbox_id.to_bytes(8))
        return hashing.hexdigest()
