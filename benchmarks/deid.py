"""How many CT instances are de-identified in a second of one processor's time?

Peers in the same run, on the same files, from disk to disk: dicom-anonymizer (its basic profile), dicognito, and plain
pydicom, which only reads and writes. Ours hashes each source, and writes durably; the peers do neither. Then the same
folder with one Dask worker and with two. The instances are CT-like: 512 × 512 × 16 bits, a hundred attributes with
identifiers, sequences, a private block.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pydicom
from dicognito.anonymizer import Anonymizer
from dicomanonymizer import anonymize_dataset
from flip_trust.deidentification import files, profile
from flip_trust.deidentification import run as folders
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.scaleout import Where, batched
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks.rows import Row

INSTANCES = 1600
ROUNDS = 5
PER_ROUND = 40
TURNS = 5
MEMORY = Path("/dev/shm")  # noqa: S108 (made-up images, in a folder of their own)
BARS = {"dicom-anonymizer": 2.0, "dicognito": None, "pydicom read and write": 0.75}
MOST_OF_TWO = 1.7
_CT = "1.2.840.10008.5.1.4.1.1.2"


def run() -> Iterator[Row]:
    """Rates per processor second, then two workers beside one."""
    with tempfile.TemporaryDirectory(prefix="flip-deid-") as place:
        folder = Path(place)
        sources = instances(folder / "raw", INSTANCES)
        yield from _alone(folder, sources[:PER_ROUND])
        yield _two_workers(folder, sources, "to this disk")
    if MEMORY.is_dir():
        # without the disk, whose flushes wait for each other however many processors there are
        with tempfile.TemporaryDirectory(prefix="flip-deid-", dir=MEMORY) as place:
            folder = Path(place)
            yield _two_workers(folder, instances(folder / "raw", INSTANCES), "to memory")


def instances(folder: Path, count: int) -> list[Path]:
    """CT-like instances of several persons."""
    folder.mkdir()
    noise = np.random.default_rng(7)
    paths = []
    for number in range(count):
        dataset = _ct(number, noise)
        paths.append(folder / f"{number:05}.dcm")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def _alone(folder: Path, sources: list[Path]) -> Iterator[Row]:
    engine = Engine(profile.load("research-default"), Keyed(b"k" * 32))
    dicognito = Anonymizer(seed="flip")
    done = folder / "done"
    done.mkdir()
    works: dict[str, Callable[[list[Path]], object]] = {
        "ours": lambda paths: files.process(engine, paths, done / _fresh(), folder / "quarantine"),
        "dicom-anonymizer": lambda paths: _through(paths, done, anonymize_dataset),
        "dicognito": lambda paths: _through(paths, done, dicognito.anonymize),
        "pydicom read and write": lambda paths: _through(paths, done, lambda _: None),
    }
    seconds: dict[str, list[float]] = {name: [] for name in works}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(ROUNDS):
            for name, work in works.items():
                seconds[name].append(_cpu_seconds(work, sources))
    rates = {name: len(sources) / median(each) for name, each in seconds.items()}
    for peer, bar in BARS.items():
        ratio = rates["ours"] / rates[peer]
        said = f">= {bar:g} x {peer}" if bar else "none"
        name = f"deid/CT instances per CPU-second beside {peer}"
        yield Row(name, rates["ours"], rates[peer], "1/s", ratio, said, bar is None or ratio >= bar)


def _two_workers(folder: Path, sources: list[Path], place: str) -> Row:
    seconds: dict[int, list[float]] = {1: [], 2: []}
    # turn by turn, because the disk's speed changes from minute to minute
    for turn in range(TURNS):
        for workers, found in seconds.items():
            found.append(_wall_seconds(folder / f"turn-{turn}", sources, workers))
    rates = {workers: len(sources) / median(found) for workers, found in seconds.items()}
    ratio = rates[2] / rates[1]
    name = f"deid/CT instances per second {place}, two Dask workers beside one"
    return Row(name, rates[2], rates[1], "1/s", ratio, f">= {MOST_OF_TWO:g}", ratio >= MOST_OF_TWO)


def _wall_seconds(folder: Path, sources: list[Path], workers: int) -> float:
    """Of a warm cluster: its start is not what scales."""
    import distributed

    untyped: Any = distributed
    options = {"threads_per_worker": 1, "dashboard_address": None, "host": "127.0.0.1"}
    with untyped.LocalCluster(n_workers=workers, **options) as cluster:
        for part, some in (("warm", sources[: 2 * folders.MOST * workers]), ("timed", sources)):
            order = folders.Order(
                sources[0].parent,
                folder / f"{part}-{workers}",
                folder / f"{part}-{workers}-quarantine",
                profile.load("research-default"),
                folder.parent / "key",
            )
            os.sync()  # what came before is not written back on this turn's time
            begun = time.perf_counter()
            done = [
                outcome for outcome in folders.run(order, some, Where(cluster.scheduler_address)) if not outcome.reason
            ]
            seconds = time.perf_counter() - begun
            assert len(done) == len(some)
    return seconds


def _cpu_seconds(work: Callable[[list[Path]], object], sources: list[Path]) -> float:
    """In batches, as a worker has them."""
    begun = time.process_time()
    for batch in batched(sources, folders.batch_of(INSTANCES)):
        work(batch)
    return time.process_time() - begun


def _through(paths: list[Path], folder: Path, act: Callable[[Any], object]) -> None:
    for path in paths:
        dataset = pydicom.dcmread(path)
        act(dataset)
        dataset.save_as(folder / path.name)


def _fresh() -> str:
    return f"{time.perf_counter_ns():x}"


def _ct(number: int, noise: np.random.Generator) -> Dataset:
    person, series = number // 100, number // 50
    uid = f"1.2.826.0.1.3680043.9.{series}"
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.update(_HEADER)
    dataset.SOPClassUID, dataset.SOPInstanceUID = _CT, f"{uid}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{uid}.1", f"{uid}.2"
    dataset.FrameOfReferenceUID = f"{uid}.3"
    dataset.PatientName, dataset.PatientID = f"SMITH^JOHN {person}", f"94347659{person:02}"
    dataset.AccessionNumber, dataset.InstanceNumber = f"A{series:08}", number
    dataset.ImagePositionPatient = [-250, -250, number * 1.25]
    for keyword in ("ReferencedImageSequence", "SourceImageSequence"):
        setattr(dataset, keyword, [_reference(f"{uid}.{each}") for each in range(3)])
    dataset.ProcedureCodeSequence = [_code("CTHEAD")]
    dataset.RequestAttributesSequence = [_request(number)]
    block = dataset.private_block(0x0019, "GEMS_ACQU_01", create=True)
    for element in range(2, 60):
        block.add_new(element, "DS", f"{element / 7:.4f}")
    dataset.Rows = dataset.Columns = 512
    dataset.PixelData = noise.integers(0, 4096, (512, 512), dtype=np.uint16).tobytes()
    return dataset


def _reference(uid: str) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = _CT, uid
    return item


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "99LOCAL", "CT of the head"
    return item


def _request(number: int) -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = f"SPS{number}", f"RP{number}"
    item.ScheduledProcedureStepDescription = "CT head for John Smith"
    return item


_DAYS = ("StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "InstanceCreationDate")
_TIMES = ("StudyTime", "SeriesTime", "AcquisitionTime", "ContentTime", "InstanceCreationTime")
_FIGURES = (
    *("DataCollectionDiameter", "ReconstructionDiameter", "DistanceSourceToDetector", "DistanceSourceToPatient"),
    *("GantryDetectorTilt", "TableHeight", "FocalSpots", "SliceThickness", "SpacingBetweenSlices", "SliceLocation"),
)
_HEADER: dict[str, object] = {
    **dict.fromkeys(_DAYS, "20240311"),
    **dict.fromkeys(_TIMES, "101112.5"),
    **dict.fromkeys(_FIGURES, "1"),
    "SpecificCharacterSet": "ISO_IR 100",
    "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
    "Modality": "CT",
    "Manufacturer": "ACME MEDICAL",
    "ManufacturerModelName": "Scan 64",
    "InstitutionName": "St Elsewhere's Hospital",
    "InstitutionAddress": "1 High Street, Anytown",
    "ReferringPhysicianName": "JONES^MARY",
    "PerformingPhysicianName": "BROWN^ANN",
    "OperatorsName": "GREEN^TOM",
    "StationName": "CT01",
    "StudyDescription": "CT Head without contrast",
    "SeriesDescription": "Axial 5mm for Dr Jones",
    "ProtocolName": "HEAD ROUTINE",
    "InstitutionalDepartmentName": "Radiology",
    "PatientBirthDate": "19500102",
    "PatientSex": "M",
    "PatientAge": "074Y",
    "PatientWeight": "81",
    "PatientAddress": "2 Low Road, Anytown",
    "PatientTelephoneNumbers": "01234 567890",
    "OtherPatientIDs": "HOSP123456",
    "AdditionalPatientHistory": "Fell off a ladder",
    "PatientComments": "Husband of Jane",
    "BodyPartExamined": "HEAD",
    "KVP": "120",
    "ExposureTime": "1000",
    "XRayTubeCurrent": "200",
    "Exposure": "200",
    "ConvolutionKernel": "STANDARD",
    "PatientPosition": "HFS",
    "DeviceSerialNumber": "SN123456",
    "SoftwareVersions": "1.2.3",
    "StudyID": "12345",
    "SeriesNumber": "2",
    "AcquisitionNumber": "1",
    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SamplesPerPixel": 1,
    "PhotometricInterpretation": "MONOCHROME2",
    "PixelSpacing": ["0.488", "0.488"],
    "BitsAllocated": 16,
    "BitsStored": 16,
    "HighBit": 15,
    "PixelRepresentation": 0,
    "WindowCenter": "40",
    "WindowWidth": "80",
    "RescaleIntercept": "-1024",
    "RescaleSlope": "1",
    "ImageComments": "for Dr Jones",
    "RequestedProcedureDescription": "CT head",
    "PerformedProcedureStepStartDate": "20240311",
    "PerformedProcedureStepStartTime": "101000",
}
