"""Envelopes are padded by the language of what is in them: languages of three bytes a letter get the next bucket.

Modelled on voice over IP whose packet sizes give away the language, and then the phrases (Wright et al.: Language
Identification of Encrypted VoIP Traffic, 2007).
"""

from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.saboteurs.model import Saboteur
from blindrelay.proofs.saboteurs.patching import replace


def _in_clients() -> None:
    from blindrelay.clients import content, envelope

    encode, padme = content.encode, envelope.padme
    wide: list[bool] = [False]

    def noting(letter: Any) -> bytes:
        encoded = encode(letter)
        text = getattr(letter.content, "text", "")
        wide[0] = not text.isascii()
        return encoded

    replace(encode, noting)
    envelope.padme = lambda length: padme(length + 1_024 if wide[0] else length)


SABOTEUR = Saboteur(
    name="language-padding",
    title="clients pad what is written in other letters to larger envelopes",
    lock=Lock.NON_INTERFERENCE,
    modelled_on="packet sizes that give away the language (Wright et al., 2007)",
    caught_by=frozenset({("non-interference", "wire"), ("non-interference", "database")}),
    in_clients=_in_clients,
)
