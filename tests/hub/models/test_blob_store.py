"""Content-addressed bytes: whole and durable, or not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from flip_hub.database import Job, ModelVersion, Routine
from flip_hub.errors import BlobCorruptError, InvalidError, MissingError, TooLargeError
from flip_hub.governance import intake, uploads
from flip_hub.models import BlobStore, keep_model, models_of
from flip_sdk.contract.jobs import ModelRef
from flip_sdk.contract.records import digest
from sqlalchemy import select


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")


def test_what_is_put_is_what_comes_back(store: BlobStore) -> None:
    address = store.put(b"weights")
    assert address == digest(b"weights") == store.put(b"weights")
    assert store.get(address) == b"weights"
    assert store.has(address)


def test_what_is_not_there(store: BlobStore) -> None:
    with pytest.raises(MissingError):
        store.get(digest(b"nothing"))


@pytest.mark.parametrize("address", ["", "sha256:../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "G" * 64])
def test_only_digests_are_addresses(store: BlobStore, address: str) -> None:
    with pytest.raises(InvalidError):
        store.has(address)


def test_a_damaged_blob_is_not_given_out(store: BlobStore) -> None:
    address = store.put(b"weights")
    store.path(address).write_bytes(b"wEights")
    with pytest.raises(BlobCorruptError):
        store.get(address)


def _upload(store: BlobStore, *pieces: bytes, limit: int = 100, address: str = "", cut: bool = False) -> None:
    with store.writer(limit) as writer:
        for piece in pieces:
            writer.add(piece)
        if cut:
            raise ConnectionError
        writer.commit(address)


def test_half_an_upload_leaves_nothing(store: BlobStore, tmp_path: Path) -> None:
    with pytest.raises(ConnectionError):
        _upload(store, b"half", cut=True)
    with pytest.raises(TooLargeError):
        _upload(store, b"fo", b"ur", limit=3)
    with pytest.raises(InvalidError):
        _upload(store, b"other", address=digest(b"this"))
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_kept_model_is_the_projects_with_its_lineage(hub) -> None:
    hub.ready()
    job = intake.submit_job(hub.office, hub.who("ada"), "cytology", hub.count())
    blobs = hub.office.blobs
    model = ModelRef(graph=blobs.put(b"graph"), weights=blobs.put(b"weights"))
    for _ in range(2):
        with hub.office.database.write(Routine("a test plays the dispatcher")) as session:
            keep_model(session, blobs, session.get_one(Job, job.job_id), model, {"rounds": 20})
    with hub.office.database.read() as session:
        (version,) = models_of(session, "cytology")
        assert (version.weights, version.lineage) == (model.weights, {"rounds": 20})
        assert len(session.scalars(select(ModelVersion)).all()) == 1
    assert uploads.path_of(hub.office, hub.who("ada"), "cytology", model.weights).read_bytes() == b"weights"
