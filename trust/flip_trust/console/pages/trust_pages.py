"""What is only read here: the settings, the other Trusts, and what is published."""

from __future__ import annotations

from fastapi import APIRouter, Request
from flip_sdk.contract.notices import PeerKey, fingerprint
from starlette.responses import Response

from flip_trust import catalogue, heard, peers
from flip_trust.console import audit_view, settings_view
from flip_trust.console.desk import Asking, At
from flip_trust.console.drawing import draw
from flip_trust.disclosure.presets import presets
from flip_trust.keys import load_hub

router = APIRouter()


@router.get("/settings")
def settings_page(request: Request, desk: At, person: Asking) -> Response:
    """Every setting, what it means, where it comes from, and which line to change."""
    desk.policies.authorise(person, "view_settings")
    return draw(
        request,
        "settings.html",
        settings=settings_view.settings(desk.config),
        file=settings_view.file_of(desk.config),
        presets=presets(),
        config=desk.config,
        settable=settings_view.settable_by_the_hub(),
        policies=desk.policies.digest,
        own=settings_view.own_policies(desk.config),
        hub=load_hub(desk.config.hub_file),
    )


@router.get("/trusts")
def trusts_page(request: Request, desk: At, person: Asking) -> Response:
    """The other Trusts whose keys are handed round or confirmed, and what this Trust tells about its data."""
    desk.policies.authorise(person, "view_peers")
    known = {peer.record.trust: peer for peer in peers.every(desk.database)}
    offered = dict.fromkeys(record for one in heard.every(desk.database) if one.listed for record in one.record.peers)
    rows = [_row(record, known.get(record.trust)) for record in offered]
    rows += [_row(peer.record, peer) for peer in known.values() if peer.record not in offered]
    published = desk.database.read(
        "SELECT * FROM audit WHERE event = 'catalogue.compiled' ORDER BY sequence DESC LIMIT 5"
    )
    return draw(
        request,
        "trusts.html",
        peers=rows,
        published=[audit_view.of_row(row) for row in published],
        pending=catalogue.pending(desk.config, desk.clock()),
    )


def _row(record: PeerKey, known: peers.Peer | None) -> tuple[PeerKey, str, str, peers.Peer | None]:
    standing = "confirmed" if known and known.record == record else "changed" if known else "offered"
    return record, fingerprint(record), standing, known
