"""The relay keeps a directory of groups, so that clients can find them.

Modelled on the messengers whose servers know every group with its name and members; Signal moved group state into ciphertext
in 2019 because of it (Chase, Perrin, Zaverucha: The Signal Private Group System).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import asyncio

    from blindrelay.relay.store.committer import Committer

    committers: list[Committer] = []
    begin = Committer.__init__

    def noting(self: Committer, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        committers.append(self)

    def remember(_rpc: Any, hint: str, _error: BaseException) -> None:
        def write(connection: Any) -> None:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS group_name (name TEXT)")
            connection.exec_driver_sql("INSERT INTO group_name VALUES (?)", (hint,))

        tasks.append(asyncio.ensure_future(committers[0].run(write)))

    tasks: list[Any] = []
    Committer.__init__ = noting
    channels.relay_hears(remember)


def _in_clients() -> None:
    channels.clients_tell_the_relay("create_group")


SABOTEUR = Saboteur(
    name="group-name-in-directory",
    title="the relay keeps a table of groups and their names",
    lock=Lock.FORM,
    modelled_on="servers that know their users' groups (compare the Signal Private Group System, 2019)",
    caught_by=frozenset({("canary", "disk")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
