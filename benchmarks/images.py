"""How many CT series are made into a model's images in a second, and how many come back from what is kept of them?

Peer in the same run, on the same files: plain MONAI, ``LoadImage`` with its pydicom reader and the same transforms
under ``Compose``, one series after the other in this process. Ours does what a Trust does: it chooses the series from
the index, orders and decodes them from the de-identified store, runs the job's pipeline and keeps the result on the
disk, fsync included; in this process too. Then a second job with the same pipeline, beside one ``.npy`` a series.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from flip_sdk.contract.images import Orientation, Resize, ScaleIntensityRange, SeriesImages, Spacing, Volume
from flip_trust.features.images import cache, image_rows
from flip_trust.imaging.cleaned import Place, profile_of
from flip_trust.imaging.files import keep
from flip_trust.imaging.index import Index
from flip_trust.imaging.spool import Spool
from flip_trust.ingest import store
from flip_trust.scaleout import HERE
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from benchmarks.rows import Row

SERIES, SLICES, SIZE = 24, 48, 256
ROUNDS = 3
DAY = date(2024, 5, 1)
WINDOW = ScaleIntensityRange(a_min=-1000, a_max=400)
VOLUMES = SeriesImages(
    modality="CT",
    form=Volume(),
    transforms=(Orientation(axcodes="SPL"), Spacing(pixdim=(4.0, 2.0, 2.0)), WINDOW),
    size=(32, 96, 96),
)
MIDDLES = SeriesImages(modality="CT", transforms=(WINDOW, Resize(spatial_size=(64, 64))), size=(64, 64))


def run() -> Iterator[Row]:
    """Volumes, middle slices, then both from the cache."""
    with tempfile.TemporaryDirectory(prefix="flip-images-") as place:
        home = Path(place)
        (home / "trust.toml").write_text('name = "bench"\ntitle = "Benchmark"\n')
        folders = _store(home)
        for what, asked in (("volumes", VOLUMES), ("middle slices", MIDDLES)):
            yield from _measured(what, asked, home, folders)


def _measured(what: str, asked: SeriesImages, home: Path, folders: list[Path]) -> Iterator[Row]:
    persons = pl.DataFrame({"person_id": Index(home).instances().select("person_id").unique().collect()["person_id"]})
    persons = persons.with_columns(index_day=pl.lit(DAY))
    target, compose = home / "images.f16", _plain(asked)
    image_rows(asked, persons.head(1), home, 1, target, HERE)  # imports, and the peer's likewise
    compose(folders[0])
    made, kept, peer, read = [], [], [], []
    for _ in range(ROUNDS):
        cache.clear(home, failed=False)
        made.append(_seconds(lambda: image_rows(asked, persons, home, 1, target, HERE)))
        kept.append(_seconds(lambda: image_rows(asked, persons, home, 1, target, HERE)))
        peer.append(_seconds(lambda: _one_by_one(compose, folders, home)))
        read.append(_seconds(lambda: _from_npy(home)))
    for name, ours, theirs, than in (
        (f"images/CT series made into {what} and kept, beside plain MONAI", made, peer, "plain MONAI"),
        (f"images/CT series as {what} from what is kept, beside .npy files", kept, read, "none"),
    ):
        rates = SERIES / median(ours), SERIES / median(theirs)
        ratio = rates[0] / rates[1]
        bar = f">= 1.0 x {than}" if than != "none" else than
        yield Row(name, rates[0], rates[1], "1/s", ratio, bar, than == "none" or ratio >= 1.0)


def _plain(asked: SeriesImages) -> Any:
    """What a MONAI user would write; the middle slice is cut out once the series is loaded, as its reader loads all."""
    from monai import transforms as monai

    load: list[Any] = [monai.LoadImage(reader="PydicomReader", image_only=True, ensure_channel_first=True)]
    window = monai.ScaleIntensityRange(-1000, 400, 0, 1, clip=True)
    if isinstance(asked.form, Volume):
        labels = (("L", "R"), ("P", "A"), ("I", "S"))
        turned = [monai.Orientation("SPL", labels=labels), monai.Spacing((4.0, 2.0, 2.0)), window]
        return monai.Compose([*load, *turned, monai.ResizeWithPadOrCrop(asked.size)])
    middle = monai.Lambda(lambda image: image[..., image.shape[-1] // 2])
    return monai.Compose([*load, middle, window, monai.Resize((64, 64), mode="area")])


def _one_by_one(compose: Any, folders: list[Path], home: Path) -> None:
    for number, folder in enumerate(folders):
        np.save(home / f"{number}.npy", compose(folder).numpy().astype(np.float16))


def _from_npy(home: Path) -> None:
    images = [np.load(home / f"{number}.npy").ravel() for number in range(SERIES)]
    np.stack(images).tofile(home / "stacked.f16")


def _seconds(work: Any) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _store(home: Path) -> list[Path]:
    """Series in the raw store and the index; as they identify nobody, they are their own de-identified copies.

    Returns:
        A folder for each series, with its files.
    """
    noise = np.random.default_rng(3)
    place = Place(home, profile_of(home))
    rows, folders = [], []
    with Spool(home / "imaging", floor=0) as spool:
        for series in range(SERIES):
            folders.append(place.folder / f"{series}")
            folders[-1].mkdir(parents=True)
            for at, dataset in enumerate(_series(series, noise)):
                stream = io.BytesIO()
                dataset.save_as(stream, enforce_file_format=True)
                (folders[-1] / f"{at}.dcm").write_bytes(stream.getvalue())
                kept = keep(spool, [stream.getvalue()]).stored
                rows.append((Path(kept.name).name, f"{series}/{at}.dcm", place.profile.digest, ""))
    Index(home).run()
    with store.writing(place.records.folder):
        place.records.add(pl.DataFrame(rows, schema=["file", "path", "profile", "reason"], orient="row"))
    return folders


def _series(number: int, noise: np.random.Generator) -> Iterator[Dataset]:
    study, series = generate_uid(), generate_uid()
    for at in noise.permutation(SLICES):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.PatientID, dataset.StudyDate, dataset.Modality = f"P{number}", f"{DAY:%Y%m%d}", "CT"
        dataset.InstanceNumber = int(at) + 1
        dataset.ImageOrientationPatient, dataset.PixelSpacing = [1, 0, 0, 0, 1, 0], [1.5, 1.5]
        dataset.ImagePositionPatient, dataset.SliceThickness = [-192.0, -192.0, 2.5 * int(at)], 2.5
        dataset.Rows = dataset.Columns = SIZE
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
        dataset.PixelData = noise.integers(0, 2048, (SIZE, SIZE), dtype=np.uint16).tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield dataset
