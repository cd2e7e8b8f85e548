"""How long an envelope may be: Padmé buckets between two bounds.

Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files and Communication with PURBs", PoPETs 2019,
section 4: padding to a length whose low bits are zero leaks O(log log L) bits of the length at no more than 12 % overhead.
"""

# Nothing that our clients seal is smaller (HPKE X-Wing alone adds 1,136 bytes); the floor keeps the bucket set short.
MIN_ENVELOPE = 1_024
# Longer content travels in parts. One part bounds what a connection can make the relay hold: 64 in flight are 16 MiB.
MAX_ENVELOPE = 262_144
# Around the payload: fixed header, topic (256 at most), packet id, expiry, correlation data.
MAX_PACKET = MAX_ENVELOPE + 1_024

MESSAGE_ID_LENGTH = 16

# A month: long enough for a holiday, short enough that "waiting" is not an archive. Seconds.
MAX_TTL = 30 * 86_400


def padme(length: int) -> int:
    """The bucket for `length` bytes: the next length that Padmé allows, `MIN_ENVELOPE` at least.

    Raises:
        ValueError: `length` is negative or over `MAX_ENVELOPE`.
    """
    if not 0 <= length <= MAX_ENVELOPE:
        raise ValueError(f"length {length} is outside 0..{MAX_ENVELOPE}")
    if length <= MIN_ENVELOPE:
        return MIN_ENVELOPE
    exponent = length.bit_length() - 1
    low_bits = exponent - exponent.bit_length()
    mask = (1 << low_bits) - 1
    return (length + mask) & ~mask


#: Every length that an envelope may have, for a look-up without arithmetic on the message path.
BUCKETS: frozenset[int] = frozenset(
    bucket
    for exponent in range(MIN_ENVELOPE.bit_length() - 1, MAX_ENVELOPE.bit_length())
    for bucket in range(1 << exponent, 1 << (exponent + 1), 1 << (exponent - exponent.bit_length()))
    if bucket <= MAX_ENVELOPE
)
