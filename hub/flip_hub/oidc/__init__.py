"""What a provider says of a person (OpenID Connect), verified and held to the hub's rules; no I/O."""

from flip_hub.oidc.id_token import ALGORITHMS, Expected, verify
from flip_hub.oidc.rules import Proven, Rules

__all__ = ["ALGORITHMS", "Expected", "Proven", "Rules", "verify"]
