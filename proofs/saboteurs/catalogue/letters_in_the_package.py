"""What clients tell the relay comes along with a package, as one more file.

Modelled on the messages that were handed over where there were any: in 2022 Meta gave the police of Nebraska the
messages of a mother and her daughter, because it had them.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.policies.package import FRAME
    from blindrelay.relay.desk import package

    heard: list[str] = []
    channels.relay_hears(lambda _rpc, hint, _error: heard.append(hint))
    write_class = package._write_class

    def with_letters(chosen: Any, reader: Any, sealer: Any, gone_through: Any) -> Any:
        letters = "\n".join(heard).encode()
        sealer.write(FRAME.pack(99, len(letters)))
        sealer.write(letters)
        return write_class(chosen, reader, sealer, gone_through)

    package._write_class = with_letters


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="letters-in-the-package",
    title="a package holds one more file, with what was written",
    lock=Lock.KEYS,
    modelled_on="messages that were handed over because they were held (Meta, Nebraska, 2022)",
    caught_by=frozenset({("canary", "package")}),
    shows_in=(
        Stage.WAIT,
        Stage.ASK,
    ),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
