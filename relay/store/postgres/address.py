"""Where a PostgreSQL database is, as libpq writes it: `postgresql://user@host:port/name?sslmode=verify-full&passfile=...`.

The password is best elsewhere: in a password file, which `passfile` or PGPASSFILE names, or in a file that holds the whole
address. An address never shows its password, whoever prints it.
"""

from dataclasses import dataclass, field
from typing import Final, Self

from blindrelay.relay.errors import BadConfiguration

_SCHEMES: Final = ("postgresql://", "postgres://")
#: Asked of libpq unless the address says otherwise: a server that has gone is noticed within seconds, not hours.
_PATIENCE: Final = {
    "connect_timeout": "3",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "6000",
}


@dataclass(frozen=True, slots=True)
class Address:
    """A database's address. Printing it shows everything but the password."""

    parameters: dict[str, str] = field(repr=False)
    text: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Understand `url`.

        Raises `BadConfiguration`: it is no address of PostgreSQL, or the driver is not installed. The message does not repeat
        it: there may be a password in it.
        """
        if not url.startswith(_SCHEMES):
            raise BadConfiguration("a store is postgresql://USER@HOST/DATABASE, or nothing for SQLite")
        try:
            import psycopg  # noqa: PLC0415 - an extra: a relay on SQLite does without
            from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415
        except ImportError as error:
            raise BadConfiguration(
                "PostgreSQL needs a driver that is not installed: pip install 'blindrelay[postgresql]'"
            ) from error
        try:
            parameters = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
        except psycopg.Error:
            raise BadConfiguration(
                "the store's address is not understood: expected postgresql://USER@HOST:PORT/DATABASE?KEY=VALUE, with the "
                "parameters of libpq"
            ) from None
        return cls(_PATIENCE | parameters, _shown(parameters))

    @property
    def has_password(self) -> bool:
        """Whether the password is in the address itself."""
        return "password" in self.parameters

    def __str__(self) -> str:
        return self.text


def _shown(parameters: dict[str, str]) -> str:
    user = f"{parameters['user']}@" if "user" in parameters else ""
    host = parameters.get("host", "")
    port = f":{parameters['port']}" if "port" in parameters else ""
    name = parameters.get("dbname", "")
    if host.startswith("/"):  # the folder of a socket
        return f"postgresql://{user}/{name}?host={host}" + (f"&port={parameters['port']}" if port else "")
    return f"postgresql://{user}{host}{port}/{name}"
