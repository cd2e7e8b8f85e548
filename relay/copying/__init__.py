"""A relay's state moves from SQLite to PostgreSQL: copied in one transaction, compared row by row before that is committed."""

from blindrelay.relay.copying.copying import copy, verify
from blindrelay.relay.copying.report import Report

__all__ = ["Report", "copy", "verify"]
