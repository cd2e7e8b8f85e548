"""The relay keeps what people have written, for their next phone, and so it is in each of its backups.

Modelled on WhatsApp, whose messages were encrypted between phones and lay unencrypted in backups at Google and Apple
until 2021.
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    import asyncio

    from blindrelay.relay.store.committer import Committer

    committers: list[Committer] = []
    tasks: list[Any] = []
    begin = Committer.__init__

    def noting(self: Committer, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        committers.append(self)

    def keep(_rpc: Any, hint: str, _error: BaseException) -> None:
        def write(connection: Any) -> None:
            connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS history (text TEXT)")
            connection.exec_driver_sql("INSERT INTO history VALUES (?)", (hint,))

        tasks.append(asyncio.ensure_future(committers[0].run(write)))

    Committer.__init__ = noting
    channels.relay_hears(keep)


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="history-in-the-backup",
    title="the relay keeps what people have written, and its backups have it",
    lock=Lock.KEYS,
    modelled_on="backups of encrypted messengers in the clear (WhatsApp at Google and Apple, until 2021)",
    caught_by=frozenset({("canary", "backup")}),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
