"""Data with one bit changed: never by chance the same data, as it would be with a constant written over random bytes."""


def flipped(data: bytes) -> bytes:
    """``data`` with its last bit the other way."""
    return data[:-1] + bytes([data[-1] ^ 1])
