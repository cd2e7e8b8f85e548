"""Column types that mean the same on both engines."""

from typing import Final

from sqlalchemy import BigInteger, Integer

#: A whole number of 64 bits. SQLite's own INTEGER is one, and its key columns accept no other name.
Number: Final = BigInteger().with_variant(Integer(), "sqlite")
