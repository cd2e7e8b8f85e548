"""`blindrelay completion`: what a shell needs to complete our commands."""

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    epilog="""\b
bash   blindrelay completion bash > ~/.local/share/bash-completion/completions/blindrelay
zsh    blindrelay completion zsh > "${fpath[1]}/_blindrelay"
fish   blindrelay completion fish > ~/.config/fish/completions/blindrelay.fish
"""
)
@click.argument("shell", type=click.Choice(list(SHELLS)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script for SHELL that completes commands, options and file names."""
    click.echo(SHELLS[shell](ctx.find_root().command, {}, "blindrelay", "_BLINDRELAY_COMPLETE").source())
