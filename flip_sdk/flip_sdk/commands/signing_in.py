"""``flip login``, ``logout`` and ``completion``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

import flip_sdk as flip
from flip_sdk.commands.running import Told

if TYPE_CHECKING:
    from flip_sdk.commands.running import Group

_INTO = {
    "bash": "flip completion bash >> ~/.bashrc",
    "zsh": "flip completion zsh >> ~/.zshrc",
    "fish": "flip completion fish > ~/.config/fish/completions/flip.fish",
}


def add_to(app: Group) -> None:
    """Add the commands."""

    @app.command_of("login", example="flip login https://hub.example.org")
    @click.argument("address", required=False, help="The hub, such as https://hub.example.org.")
    def login(address: str | None) -> Told:
        """Sign in to a hub with a token from its page "Token". Not needed inside a workspace."""
        me = flip.login(address)
        words = f"Signed in as {me.display_name or me.name} ({me.organisation})."
        return Told(words, {"name": me.name, "organisation": me.organisation})

    @app.command_of("logout")
    def logout() -> Told:
        """Forget the kept token. Revoke it on the hub's page "Token", too."""
        done = flip.logout()
        return Told("Signed out." if done else "Nobody was signed in.", {"signed_out": done})

    @app.command_of("completion", example=_INTO["bash"])
    @click.argument("shell", type=click.Choice(list(_INTO)), help="Whose completion.")
    def completion(shell: str) -> str | None:
        """Print what makes a shell complete the commands and options of `flip`."""
        kind = get_completion_class(shell)
        return kind(app, {}, "flip", "_FLIP_COMPLETE").source() if kind else None
