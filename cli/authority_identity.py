"""`blindrelay authority init` and `renew`: who an authority is."""

from pathlib import Path

import click

from blindrelay.cli import passphrase
from blindrelay.cli.authorities import AuthorityType, Office, office_options
from blindrelay.cli.moments import words
from blindrelay.cli.output import JSON_OPTION, emit
from blindrelay.cli.passphrase import new_passphrase_options
from blindrelay.cli.places import authority_directory, home_option
from blindrelay.clients.authority.identity import AuthorityIdentity, replace
from blindrelay.clients.errors import StoreError
from blindrelay.policies.vocabulary import AuthorityKind
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.officers import OfficerName


@click.command(
    epilog="""\b
Examples:
  blindrelay authority init us-court --title "District Court" --officer "J. Doe" --jurisdiction us --kind judge
  blindrelay authority init uk-police --title "Met Police" --officer "DC Smith" --jurisdiction uk --kind police --ask-passphrase

\b
The card is not secret. Its fingerprint is what you and the relay's operator compare over another way, such as the telephone.
"""
)
@click.argument("authority", type=AuthorityType())
@click.option("--title", required=True, help="What the authority is called in letters.")
@click.option("--officer", required=True, help="The person who asks; the certificate names that person.")
@click.option("--jurisdiction", required=True, help="ISO 3166-1 code in lower case, or eu.")
@click.option("--kind", required=True, type=words(AuthorityKind), help="What it is, as statutes distinguish.")
@click.option(
    "--card",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the card for the relay's operator.  [default: AUTHORITY.json here]",
)
@home_option
@new_passphrase_options
@JSON_OPTION
def init(
    authority: str,
    title: str,
    officer: str,
    jurisdiction: str,
    kind: str,
    card: Path | None,
    home: Path,
    passphrase_file: Path | None,
    ask_passphrase: bool,
    as_json: bool,
) -> None:
    """Make AUTHORITY: a root certificate, an officer's certificate, and the key that packages are sealed to.

    Without a passphrase the mode of the files (0600) alone protects its keys.
    """
    target = card or Path(f"{authority}.json")
    if target.exists():
        raise StoreError(f"{target} is there already: name another place for the card with --card")
    folder = authority_directory(home, authority)
    words = passphrase.new(passphrase_file, ask=ask_passphrase)
    name = OfficerName(authority, officer)
    made = AuthorityIdentity.create(folder, name, title, jurisdiction, AuthorityKind(kind), SystemClock(), words)
    replace(target, made.card.model_dump_json(indent=2).encode() + b"\n")
    digest = fingerprint(made.root).hex()
    if as_json:
        emit({"authority": authority, "officer": officer, "folder": folder, "card": target, "fingerprint": digest})
        return
    click.echo(f"{title} ({authority}) can ask now, through {officer}; its keys are in {folder}")
    click.echo(f"its card is {target}, with the fingerprint")
    click.echo(f"  {' '.join(digest[i : i + 8] for i in range(0, len(digest), 8))}")
    click.echo(
        f"next: the relay's operator enters it: blindrelay desk register {target} --jurisdiction {jurisdiction} --kind {kind}"
    )


@click.command()
@office_options
def renew(office: Office) -> None:
    """Issue the officer's certificate anew, for another year. The relay need not be told: it knows the root."""
    identity = office.identity()
    identity.renew(SystemClock())
    click.echo(f"{identity.officer}'s certificate is valid until {identity.certificate.not_valid_after_utc:%Y-%m-%d}")
