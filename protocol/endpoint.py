"""Where a relay is and how to meet it: the file that `blindrelay up` leaves in its data directory for clients of the same
machine. It holds no secret; the registration code is in a file of its own, which is for the relay's operator alone.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.statements import Wire

FILE_NAME = "endpoint.json"
MAX_FILE = 16_384


class Endpoint(Wire):
    """A relay's address. Paths are relative to the folder of the file."""

    host: Annotated[str, Field(min_length=1, max_length=255)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    ca_certificate: Annotated[str, Field(description="path of the CA certificate that vouches for the relay, PEM")]
    registration_code: Annotated[str | None, Field(description="path of the registration code")] = None
    desk_port: Annotated[int | None, Field(ge=1, le=65_535, description="HTTPS port of the lawful desk")] = None
    logs_port: Annotated[int | None, Field(ge=1, le=65_535, description="HTTPS port of the public logs")] = None
    operations: Annotated[str | None, Field(max_length=300, description="URL of the operations endpoint")] = None
    directory_policy: Annotated[str | None, Field(description="path of the policy of the log `directory`")] = None
    lawful_access_policy: Annotated[str | None, Field(description="path of the policy of the log `lawful-access`")] = (
        None
    )

    @classmethod
    def read(cls, path: Path) -> "Endpoint":
        """Read the file.

        Raises:
            Malformed: it is not such a file.
            OSError: it cannot be read.
        """
        try:
            with path.open("rb") as file:
                return cls.model_validate_json(file.read(MAX_FILE))
        except ValidationError as error:
            raise Malformed(f"{path} is not a relay's endpoint file: {error.error_count()} fields are wrong") from None

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        partial = path.with_name(path.name + ".partial")
        partial.write_text(self.model_dump_json(indent=2, exclude_none=True) + "\n")
        partial.replace(path)
