"""The model store: content-addressed bytes, and model versions with their lineage."""

from flip_hub.models.blobs import BlobStore
from flip_hub.models.versions import allow_blob, keep_model, models_of

__all__ = ["BlobStore", "allow_blob", "keep_model", "models_of"]
