"""TLS contexts of clients: version 1.3 alone, the relay's own CA alone, the device's certificate where there is one.

A context is made for one connection and never shared between an anonymous connection and one that names its device: a
resumed session would tie the two together (RFC 8446, appendix C.4).
"""

import os
import secrets
import ssl
import tempfile
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
    # Python's ssl module reads keys from files alone. The file is readable by us alone, encrypted with a password that
    # only this function ever knows, and gone before it returns.
    password = secrets.token_urlsafe(32)
    pem = certificate.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode())
    )
    descriptor, name = tempfile.mkstemp(prefix="blindrelay-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        context.load_cert_chain(name, password=password)
    finally:
        Path(name).unlink()
    return context
