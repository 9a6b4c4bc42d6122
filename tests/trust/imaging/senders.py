"""CT-like instances full of identifiers, and real senders for them."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

STORESCU, ECHOSCU = "/usr/bin/storescu", "/usr/bin/echoscu"
QUICK = {**os.environ, "TCP_NODELAY": "1"}
"""Debian's programs stall 45 ms per instance on loopback without it."""


@dataclass
class Study:
    """One person's CT study; every call of :meth:`instance` is the next slice."""

    patient_id: str = "NHS-943-476-5919"
    accession: str = "ACC-0001"
    uid: str = field(default_factory=generate_uid)
    series: str = field(default_factory=generate_uid)
    size: int = 16
    slices: int = 0

    def instance(self, sop_instance: str = "", seed: int = 0, size: int = 0, **others: object) -> Dataset:
        dataset, size = Dataset(), size or self.size
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, sop_instance or generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = self.uid, self.series
        dataset.PatientName, dataset.PatientID = "Doe^Jane", self.patient_id
        dataset.PatientBirthDate, dataset.PatientSex = "19520307", "F"
        dataset.AccessionNumber, dataset.StudyDate, dataset.StudyTime = self.accession, "20240229", "101500"
        dataset.ReferringPhysicianName, dataset.StudyID = "Referrer^R", "S1"
        dataset.Modality, dataset.BodyPartExamined, dataset.Laterality = "CT", "CHEST", ""
        dataset.SeriesNumber, dataset.InstanceNumber = 2, self.slices + 1
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.ImagePositionPatient = [-100.0, -100.0, 2.5 * self.slices]
        dataset.PixelSpacing, dataset.SliceThickness = [0.7, 0.7], 2.5
        dataset.Rows = dataset.Columns = size
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        pixels = np.random.default_rng(seed + self.slices).integers(0, 4096, (size, size), dtype=np.uint16)
        dataset.PixelData = pixels.tobytes()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        self.slices += 1
        for name, value in others.items():
            setattr(dataset, name, value)
        return dataset

    def write(self, folder: Path, count: int) -> list[Dataset]:
        folder.mkdir(parents=True, exist_ok=True)
        made = [self.instance() for _ in range(count)]
        for number, dataset in enumerate(made):
            dataset.save_as(folder / f"{number:04}.dcm", enforce_file_format=True)
        return made


def storescu(port: int, folder: Path, *options: str, title: str = "MODALITY") -> subprocess.CompletedProcess[str]:
    """Send a folder with dcmtk; ``-v`` names each instance and the answer to it."""
    command = [STORESCU, "-v", "-aet", title, "-aec", "FLIP", *options, "+sd", "127.0.0.1", str(port), str(folder)]
    return subprocess.run(command, env=QUICK, capture_output=True, text=True, check=False, timeout=60)
