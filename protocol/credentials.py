"""How a client without certificate says what it is: MQTT user name and password.

| posture / role | certificate | user name        | password                    | may                                      |
|----------------|-------------|------------------|-----------------------------|------------------------------------------|
| device         | device's    | none             | none                        | write to all, read the own inbox, rpc    |
| administrator  | `<tenant>`  | none             | none                        | rpc: revoke, look up                     |
| sealed sender  | none        | `user@tenant`    | delivery token of that user | write to that user's devices, look up, claim |
| registrar      | none        | `registrar`      | registration code           | rpc: register a tenant                   |

Without a certificate the client id is empty and the session expiry 0: nothing ties two such connections together.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest

from blindrelay.protocol.errors import Malformed

REGISTRAR = "registrar"
TOKEN_LENGTH = 32

#: The CONNECT user property in which a client may give its version; it is kept in the AccessRecord. See `CLIENT_VERSION`.
CLIENT_VERSION_PROPERTY = "client-version"
CLIENT_VERSION = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}"


@dataclass(frozen=True, slots=True)
class DeliveryToken:
    """Whoever has a user's token may write to them without saying who they are. The same for all who have it."""

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) != TOKEN_LENGTH:
            raise Malformed(f"a delivery token has {TOKEN_LENGTH} bytes")

    @property
    def verifier(self) -> bytes:
        """What the relay is given to check the token with: SHA-256 of it."""
        return sha256(self.value).digest()


def token_matches(token: bytes, verifier: bytes) -> bool:
    """Whether `verifier` is that of `token`, in constant time."""
    return compare_digest(sha256(token).digest(), verifier)
