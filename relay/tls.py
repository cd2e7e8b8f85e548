"""The relay's TLS: version 1.3 alone, clients with or without certificate, no session tickets.

A client certificate is verified by OpenSSL against the roots of *all* registered tenants, and by `admission` against the
root of the tenant that it names. A root cannot be unloaded from a running context; admission checks standing for that.
"""

import ssl
from pathlib import Path

from blindrelay.relay.errors import Unreadable


def server_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of the listener; raise `Unreadable` when key or certificate cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # 1.3 has no renegotiation (CVE-2011-1473) and no static key exchange.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_OPTIONAL
    # A ticket would tie a sealed connection to the one that got it, and resume past a revocation.
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise Unreadable(
            f"{key} and {certificate} cannot be used as the relay's TLS key and certificate: "
            f"{error.strerror or error}. Restore them, or delete both to get new ones"
        ) from error
    return context


def trust(context: ssl.SSLContext, root: bytes) -> None:
    """Admit certificates that `root` (DER) has issued, from now on. The context may be in use."""
    context.load_verify_locations(cadata=root)
