"""``flip-trust peers``: the other Trusts whose keys this Trust's operator confirmed."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer
from flip_sdk.contract.notices import PeerKey, fingerprint

from flip_trust.commands import Home, asked, command, opened, out, say
from flip_trust.config import TrustConfig
from flip_trust.database import Database

peers_app = typer.Typer(no_args_is_help=True, help="Other Trusts that this one may share noise with.")
Name = Annotated[str, typer.Argument(help="The other Trust's name, as flip-trust peers list shows it.")]
Operator = Annotated[str, typer.Option(help="Who compared the fingerprint; your login name unless given.")]


@command(peers_app, "list")
def peers_list(home: Home = None) -> None:
    """Show the other Trusts of this Trust's projects, their keys' fingerprints, and which are confirmed."""
    from flip_trust import peers
    from flip_trust.console import tables

    config, database = opened(home)
    out.print(tables.peers_table(_offered(config, database), peers.every(database)))


@command(peers_app, "fingerprint")
def peers_fingerprint(home: Home = None) -> None:
    """Print the fingerprint of this Trust's own key, to read out to other Trusts' operators."""
    sys.stdout.write(fingerprint(_own(TrustConfig.load(home))) + "\n")


@command(peers_app, "confirm")
def peers_confirm(
    name: Name,
    fingerprint: Annotated[str, typer.Argument(help="Of its key, as its own operator reads it out to you.")],
    operator: Operator = "",
    home: Home = None,
) -> None:
    """Confirm another Trust's key, so that this Trust may share noise with it; a changed key is confirmed anew."""
    from flip_trust import peers

    config, database = opened(home)
    offered = [record for record in _offered(config, database) if record.trust == name]
    peers.confirm(database, _own(config), offered, fingerprint, operator or getpass.getuser())
    say(f"{name}: confirmed.")


@command(peers_app, "forget")
def peers_forget(name: Name, operator: Operator = "", home: Home = None) -> None:
    """Share noise with a Trust no more; takes effect at once, for running jobs too."""
    from flip_trust import peers

    _, database = opened(home)
    peers.forget(database, name, operator or getpass.getuser())
    say(f"{name}: forgotten.")


def _own(config: TrustConfig) -> PeerKey:
    from flip_trust.keys import load_identity

    return PeerKey(trust=config.name, identity_key=load_identity(config).public.x)


def _offered(config: TrustConfig, database: Database) -> list[PeerKey]:
    """Every key of another Trust that the hub hands out, each once."""
    return list(dict.fromkeys(peer for project in asked(config, database) for peer in project.peers))
