"""A notice to a user quotes what somebody has written, where the order's reference would stand.

Modelled on the notices that quote what they are about: takedown notices with the whole of what had to be taken down,
as the Lumen database has them (Urban and Quilter, 2006).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs import channels
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from blindrelay.relay.desk.notices import NoticeBoard

    heard: list[str] = []
    channels.relay_hears(lambda _rpc, hint, _error: heard.append(hint))
    make = NoticeBoard._disclosure

    def quoting(self: NoticeBoard, *about: Any) -> Any:
        notice = make(self, *about)
        return notice.model_copy(update={"legal_reference": heard[-1][:60]}) if heard else notice

    NoticeBoard._disclosure = quoting


def _in_clients() -> None:
    channels.clients_tell_the_relay()


SABOTEUR = Saboteur(
    name="notice-with-a-quotation",
    title="notices to users quote what somebody has written",
    lock=Lock.KEYS,
    modelled_on="notices that quote what they are about (takedown notices: Urban and Quilter, 2006)",
    caught_by=frozenset({("canary", "notice")}),
    shows_in=(
        Stage.WAIT,
        Stage.ASK,
        Stage.AGE,
    ),
    in_relay=_in_relay,
    in_clients=_in_clients,
)
