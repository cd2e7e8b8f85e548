"""Who may do what in the database: three roles without a password, which logins are made members of.

| role               | may                                                                     | for                |
|--------------------|-------------------------------------------------------------------------|--------------------|
| `blindrelay_relay` | read and write rows; change no table, no function, no entry of a log    | the message path   |
| `blindrelay_desk`  | read the columns that the inventory says may be disclosed, and no other | the lawful desk    |
| `blindrelay_logs`  | read the public log: entries, tiles, checkpoint                         | whoever audits it  |

The desk's connections take the role `blindrelay_desk` as they begin, so that the server itself refuses a query that goes
further: envelopes and mailboxes are not among what it may name.
"""

from collections import defaultdict
from typing import Final

from sqlalchemy import Connection

from blindrelay.relay.inventory import disclosable_columns
from blindrelay.relay.store import tables

RELAY: Final = "blindrelay_relay"
DESK: Final = "blindrelay_desk"
LOGS: Final = "blindrelay_logs"

_LOG: Final = tables.directory_entry.name
# What a log is published as.
_PUBLISHED: Final = (_LOG, tables.log_tile.name, tables.log_head.name)
# Rows of these come and stay.
_ADDED_TO: Final = frozenset({_LOG, tables.service_change.name, tables.departed.name})


def grant(connection: Connection) -> None:
    """Make the roles if they are not there, and give each what it may do, and nothing else. Whoever calls this is a member of
    all three afterwards: a relay may use the same login."""
    known = set(connection.exec_driver_sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'blindrelay%%'").scalars())
    for role in (RELAY, DESK, LOGS):
        if role not in known:
            connection.exec_driver_sql(f"CREATE ROLE {role} NOLOGIN")
            connection.exec_driver_sql(f"GRANT {role} TO CURRENT_USER")
    schema = connection.exec_driver_sql("SELECT quote_ident(current_schema())").scalar_one()
    for statement in _statements(schema):
        connection.exec_driver_sql(statement)


def _statements(schema: str) -> list[str]:
    everybody = f"{RELAY}, {DESK}, {LOGS}"
    found = [
        f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {everybody}",
        f"REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {schema} FROM PUBLIC",
        f"GRANT USAGE ON SCHEMA {schema} TO {everybody}",
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {RELAY}",
        f"GRANT EXECUTE ON FUNCTION {schema}.newest TO {DESK}",
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {RELAY}",
        f"GRANT SELECT ON {schema}.alembic_version TO {everybody}",
        *(f"GRANT SELECT ON {schema}.{name} TO {LOGS}" for name in _PUBLISHED),
    ]
    for name in tables.metadata.tables:
        rights = "SELECT, INSERT" if name in _ADDED_TO else "SELECT, INSERT, UPDATE, DELETE"
        found.append(f"GRANT {rights} ON {schema}.{name} TO {RELAY}")
    columns: dict[str, list[str]] = defaultdict(list)
    for table, column in sorted(disclosable_columns()):
        columns[table].append(f'"{column}"')
    found += [f"GRANT SELECT ({', '.join(names)}) ON {schema}.{table} TO {DESK}" for table, names in columns.items()]
    return found
