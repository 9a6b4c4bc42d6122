"""A Trust's part of a closed project: what it is ordered to purge, and its signed answer."""

from __future__ import annotations

from flip_sdk.contract.closing import PurgeOrder
from flip_sdk.contract.notices import PurgeNotice
from sqlalchemy import select
from sqlalchemy.orm import Session

from flip_hub.config import HubConfig
from flip_hub.database import TrustPurgeRow, now
from flip_hub.errors import MissingError
from flip_hub.keys import signing_key


def orders_for(config: HubConfig, session: Session, trust: str) -> list[str]:
    """Signed orders that a Trust has not answered yet, as compact JWS."""
    chosen = select(TrustPurgeRow).where(TrustPurgeRow.trust == trust, TrustPurgeRow.purged_at.is_(None))
    rows = list(session.scalars(chosen.order_by(TrustPurgeRow.project_id)))
    if not rows:
        return []
    key, moment = signing_key(config, "governance"), now()
    return [
        key.sign(PurgeOrder(trust=trust, project_id=row.project_id, order_id=row.order_id, issued_at=moment))
        for row in rows
    ]


def take_purge(session: Session, notice: PurgeNotice, statement: str) -> None:
    """Keep a Trust's answer as it was signed; the first one stays.

    Raises:
        MissingError: no such order was given to this Trust.
    """
    row = session.get(TrustPurgeRow, (notice.project_id, notice.trust))
    if row is None or row.order_id != notice.order_id:
        raise MissingError("There is no such order to purge.", "Ask the hub for its orders again.")
    if row.purged_at is None:
        row.purged_at, row.statement = notice.purged_at, statement
        row.items = [item.model_dump(mode="json") for item in notice.items]
