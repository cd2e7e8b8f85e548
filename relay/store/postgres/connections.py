"""Connections to the database, each with the settings that its work needs."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
import sqlalchemy

from blindrelay.relay.store.postgres import arrays
from blindrelay.relay.store.postgres.address import Address

# No statement of ours takes a second. One that does is in somebody's way, or waits for somebody who is gone.
WRITING: Final[Mapping[str, str]] = {
    "statement_timeout": "10s",
    "lock_timeout": "5s",
    "idle_in_transaction_session_timeout": "10s",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "work_mem": "64MB",  # a batch of envelopes never goes through a temporary file
}
#: For what is done for each message and connection. A table of waiting mail is empty at one moment and long at the next:
#: what is planned while statistics say that it is empty would read all of it from then on.
BY_INDEX: Final[Mapping[str, str]] = {"enable_seqscan": "off", "enable_bitmapscan": "off", "jit": "off"}
# `take_batch` leaves the planner one way through each statement; it is planned once, and by what it says.
BATCHES: Final[Mapping[str, str]] = {**WRITING, **BY_INDEX, "plan_cache_mode": "force_generic_plan"}
READING: Final[Mapping[str, str]] = {**WRITING, "statement_timeout": "60s", "default_transaction_read_only": "on"}


def connect(address: Address, settings: Mapping[str, str], *, autocommit: bool = False) -> "psycopg.Connection[Any]":
    """Connect, with `settings` for as long as the connection is there. Raises `psycopg.Error`."""
    options = " ".join(f"-c {name}={value}" for name, value in settings.items())
    parameters = dict(address.parameters)
    parameters["options"] = f"{parameters.get('options', '')} {options}".strip()
    connection = psycopg.connect(**parameters, application_name="blindrelay", autocommit=autocommit)  # type: ignore[arg-type]
    arrays.register(connection.adapters)
    return connection


def engine(address: Address, settings: Mapping[str, str], **options: Any) -> sqlalchemy.Engine:
    """A pool of such connections."""
    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=lambda: connect(address, settings), max_overflow=0, **options
    )
