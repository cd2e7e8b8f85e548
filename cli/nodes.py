"""A relay as one of several nodes: `--node`, `--cluster` and what belongs to them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def node_options(command: Command) -> Command:
    """Add the options that `settings_of` understands."""
    options = (
        click.option("--node", metavar="NAME", envvar="BLINDRELAY_NODE", help="This node's name in a cluster: n1."),
        click.option(
            "--cluster",
            metavar="URLS",
            envvar="BLINDRELAY_CLUSTER",
            help="NATS servers by which nodes wake each other up: nats://a,nats://b,nats://c (or tls://). "
            "Nodes without them find mail for each other within a second or so.",
        ),
        click.option(
            "--identity-dir",
            type=click.Path(file_okay=False, path_type=Path),
            envvar="BLINDRELAY_IDENTITY_DIR",
            help="What all nodes have in common: `blindrelay node init`.",
        ),
        click.option(
            "--node-address",
            metavar="HOST:PORT",
            envvar="BLINDRELAY_NODE_ADDRESS",
            help="Where clients reach this node: another one that stops sends them there.  [default: where it listens, "
            "if that is one address and no balancer is in front]",
        ),
        click.option("--cluster-ca", type=_FILE, help="Certificates (PEM) by which the NATS servers are known."),
        click.option("--cluster-creds", type=_FILE, help="A credentials file for the NATS servers (JWT and seed)."),
        click.option("--cluster-token-file", type=_FILE, help="A file with a token for the NATS servers."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class NodeOptions:
    """What was given, by the names of the options."""

    node: str | None
    cluster: str | None
    identity_dir: Path | None
    node_address: str | None
    cluster_ca: Path | None
    cluster_creds: Path | None
    cluster_token_file: Path | None

    def settings(self) -> dict[str, object] | None:
        """For `Settings.cluster`; None when nothing was given. Raises `click.UsageError`: something is missing."""
        if self.node is None:
            given = {
                "--cluster": self.cluster,
                "--identity-dir": self.identity_dir,
                "--node-address": self.node_address,
                "--cluster-ca": self.cluster_ca,
                "--cluster-creds": self.cluster_creds,
                "--cluster-token-file": self.cluster_token_file,
            }
            for name, value in given.items():
                if value is not None:
                    raise click.UsageError(f"{name} is for a node of a cluster: give it a name of its own, --node n1")
            return None
        if self.identity_dir is None:
            raise click.UsageError(
                "the nodes of a relay have keys in common: make them once with `blindrelay node init FOLDER`, "
                "and give each node the same with --identity-dir FOLDER"
            )
        return {
            "node": self.node,
            "servers": [url.strip() for url in (self.cluster or "").split(",") if url.strip()],
            "identity_dir": self.identity_dir,
            "address": self.node_address,
            "ca": self.cluster_ca,
            "credentials": self.cluster_creds,
            "token": self.cluster_token_file,
        }
