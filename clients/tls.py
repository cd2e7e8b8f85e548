"""TLS contexts of clients: version 1.3 alone, the relay's own CA alone, the device's certificate where there is one.

A context is made for one connection and never shared between an anonymous connection and one that names its device: a
resumed session would tie the two together (RFC 8446, appendix C.4).
"""

import contextlib
import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from blindrelay.clients.errors import NotEnrolled


def anonymous_context(ca: bytes) -> ssl.SSLContext:
    """A context that shows no certificate.

    Args:
        ca: the relay's CA certificates, PEM. No other CA counts, the system's neither.

    Raises:
        NotEnrolled: `ca` holds no certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_verify_locations(cadata=ca.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise NotEnrolled(
            "the relay's CA certificate is unreadable: expected one or more certificates in PEM"
        ) from error
    return context


def identified_context(ca: bytes, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    """A context that shows `certificate`. See `anonymous_context` for `ca`."""
    context = anonymous_context(ca)
    # Python's ssl module reads keys from files alone. What it reads here is encrypted with a password that only this
    # function ever knows.
    password = secrets.token_urlsafe(32)
    pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
    )
    with _for_a_moment(pem) as path:
        context.load_cert_chain(path, password=password)
    return context


@contextmanager
def _for_a_moment(data: bytes) -> Iterator[Path]:
    """Under this path `data` is read inside, by this process.

    Where the system has files without a name (Linux), nothing is on a disk, and whoever ends the process in this moment leaves
    nothing there. Elsewhere it is a file for its owner alone.
    """
    with contextlib.ExitStack() as stack:
        path = _nameless(stack)
        if path is None:
            descriptor, name = tempfile.mkstemp(prefix="blindrelay-")
            os.close(descriptor)
            path = Path(name)
            stack.callback(path.unlink)
        path.write_bytes(data)
        yield path


def _nameless(stack: contextlib.ExitStack) -> Path | None:
    """A file of memory, until `stack` is left; None where there is none."""
    if not hasattr(os, "memfd_create"):
        return None
    with contextlib.suppress(OSError):
        descriptor = os.memfd_create("blindrelay")
        stack.callback(os.close, descriptor)
        path = Path(f"/proc/self/fd/{descriptor}")
        return path if path.exists() else None
    return None
