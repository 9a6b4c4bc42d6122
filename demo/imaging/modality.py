"""A hospital's scanner: CT series as a modality makes them, with everything that it writes about people."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import numpy as np
from flip_sdk.simulate.phantoms import Hounsfield, chest, scan
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from demo.imaging.hospitals import Hospital
from demo.imaging.persons import SEED, Person, Visit, persons_of

_ROOT = "1.2.826.0.1.3680043.10.1771"
_CODE = "CodeValue", "CodingSchemeDesignator", "CodeMeaning"


def write_images(place: Hospital, folder: Path) -> int:
    """Write the series of everybody of a hospital, a folder a person and visit; how many instances there are."""
    count = 0
    for person in persons_of(place):
        # who comes again is the same person with the same mass, lying a little differently
        body = chest(np.random.default_rng([SEED, *person.seed]), lesion=person.ill)
        for which, visit in enumerate(person.visits):
            volume = scan(body, place.scanner, np.random.default_rng([SEED, *person.seed, which]))
            into = folder / f"{person.number}_{person.family}" / f"{visit.accession}"
            into.mkdir(parents=True, exist_ok=True)
            for dataset in instances(place, person, visit, volume):
                dataset.save_as(into / f"IM{dataset.InstanceNumber:04}.dcm", enforce_file_format=True)
                count += 1
    return count


def instances(place: Hospital, person: Person, visit: Visit, volume: Hounsfield) -> list[Dataset]:
    """One series: CT Image Storage, an instance a slice, from the feet upwards."""
    return [_instance(place, person, visit, volume, number) for number in range(len(volume))]


def _instance(place: Hospital, person: Person, visit: Visit, volume: Hounsfield, number: int) -> Dataset:
    dataset = Dataset()
    for part in (_patient(place, person, visit), _study(place, person, visit), _equipment(place)):
        dataset.update(part)
    dataset.update(_image(place, visit, number))
    _pixels(dataset, place, volume[number])
    _private_blocks(dataset, place, person, visit)
    meta = dataset.file_meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if place.device.intercept == 0 else ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    meta.SourceApplicationEntityTitle = place.device.title
    return dataset


def _patient(place: Hospital, person: Person, visit: Visit) -> Dataset:
    found = Dataset()
    found.PatientName = f"{person.family}^{person.given}^^{'Mrs' if person.female else 'Mr'}"
    found.PatientID, found.IssuerOfPatientID = person.number, place.title
    found.PatientBirthDate, found.PatientSex = f"{person.born:%Y%m%d}", "F" if person.female else "M"
    found.PatientAge = f"{person.age_on(visit.day):03}Y"
    found.PatientSize, found.PatientWeight = "1.70", "74"
    found.PatientAddress, found.PatientTelephoneNumbers = person.address, person.phone
    found.PatientMotherBirthName = f"{person.family}^Rosalind"
    found.AdditionalPatientHistory = f"{person.given} {person.family} smokes; relatives under {person.relative_phone}"
    found.PatientComments = f"Interpreter for {person.given}. Call {person.phone}"
    other = Dataset()
    other.PatientID, other.IssuerOfPatientID, other.TypeOfPatientID = person.nhs_number, "NHS", "TEXT"
    found.OtherPatientIDsSequence = [other]
    return found


def _study(place: Hospital, person: Person, visit: Visit) -> Dataset:
    found, day = Dataset(), f"{visit.day:%Y%m%d}"
    found.StudyInstanceUID = _uid(visit.accession, place)
    found.StudyID, found.AccessionNumber = visit.accession[1:], visit.accession
    for name in ("Study", "Series", "Acquisition", "Content"):
        setattr(found, f"{name}Date", day)
        setattr(found, f"{name}Time", visit.time)
    found.StudyDescription = f"CT chest, {person.family}"
    found.SeriesDescription = f"Chest {place.device.kernel} {place.scanner.thickness:g} mm"
    found.ReferringPhysicianName = f"{person.doctor}^A^^Dr"
    found.NameOfPhysiciansReadingStudy = found.PerformingPhysicianName = f"{visit.radiologist}^R^^Dr"
    found.OperatorsName, found.RequestingPhysician = f"{visit.operator}^T", f"{person.doctor}^A^^Dr"
    found.AdmissionID, found.ImageComments = f"V{visit.accession}", f"{person.family}, {person.given}: breath held"
    found.SeriesInstanceUID, found.SeriesNumber = _uid(f"{visit.accession}.2", place), 2
    found.FrameOfReferenceUID = _uid(f"{visit.accession}.9", place)
    found.PositionReferenceIndicator = ""
    found.RequestAttributesSequence = [_request(person, visit)]
    found.PerformedProcedureStepID, found.PerformedProcedureStepStartDate = f"PPS{visit.accession}", day
    found.PerformedProcedureStepStartTime = visit.time
    found.PerformedProcedureStepDescription = f"CT chest of {person.given}"
    return found


def _request(person: Person, visit: Visit) -> Dataset:
    found, code = Dataset(), Dataset()
    found.ScheduledProcedureStepID, found.RequestedProcedureID = f"SPS{visit.accession}", f"RP{visit.accession}"
    found.RequestedProcedureDescription = f"CT chest, {person.family}"
    found.ReasonForTheRequestedProcedure = f"Cough; asked for by Dr {person.doctor}, {person.phone}"
    for name, value in zip(_CODE, ("24627-2", "LN", "CT Chest"), strict=True):
        setattr(code, name, value)
    found.RequestedProcedureCodeSequence = [code]
    return found


def _equipment(place: Hospital) -> Dataset:
    found, device = Dataset(), place.device
    found.Manufacturer, found.ManufacturerModelName = device.manufacturer, device.model
    found.DeviceSerialNumber, found.SoftwareVersions = device.serial, device.software
    found.StationName, found.InstitutionName = device.station, place.title
    found.InstitutionAddress, found.InstitutionalDepartmentName = place.address, "Radiology"
    found.DeviceUID, found.SpatialResolution = _uid(device.serial, place), "0.7"
    found.DateOfLastCalibration, found.TimeOfLastCalibration = "20250101", "060000"
    return found


def _image(place: Hospital, visit: Visit, number: int) -> Dataset:
    found, scanner = Dataset(), place.scanner
    found.SpecificCharacterSet = "ISO_IR 100"
    found.SOPClassUID, found.SOPInstanceUID = CTImageStorage, _uid(f"{visit.accession}.2.{number + 1}", place)
    found.Modality, found.BodyPartExamined, found.PatientPosition = "CT", "CHEST", "HFS"
    found.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    found.InstanceNumber, found.AcquisitionNumber = number + 1, 1
    when = datetime.datetime.combine(visit.day, datetime.time.fromisoformat(visit.time))
    found.InstanceCreationDate = f"{visit.day:%Y%m%d}"
    found.InstanceCreationTime = f"{when + datetime.timedelta(seconds=30 + number):%H%M%S}"
    z = (number - (scanner.slices - 1) / 2) * scanner.thickness
    corner = [-(count - 1) / 2 * scanner.step for count in (scanner.columns, scanner.rows)]
    found.ImagePositionPatient = [f"{value:.4f}" for value in (*corner, z)]
    found.ImageOrientationPatient = ["1", "0", "0", "0", "1", "0"]
    found.PixelSpacing, found.SliceThickness = [f"{scanner.step:g}"] * 2, f"{scanner.thickness:g}"
    found.SliceLocation, found.SpacingBetweenSlices = f"{z:g}", f"{scanner.thickness:g}"
    found.KVP, found.XRayTubeCurrent, found.ExposureTime, found.Exposure = "120", 180, 500, 90
    found.ConvolutionKernel, found.ScanOptions, found.GantryDetectorTilt = place.device.kernel, "HELICAL MODE", "0"
    found.ReconstructionDiameter, found.TableHeight = f"{scanner.columns * scanner.step:g}", "155"
    found.WindowCenter, found.WindowWidth = ["40", "-600"], ["400", "1500"]
    found.WindowCenterWidthExplanation = ["SOFT", "LUNG"]
    return found


def _pixels(dataset: Dataset, place: Hospital, image: Hounsfield) -> None:
    signed = place.device.intercept == 0
    dataset.Rows, dataset.Columns = image.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16 if signed else 12, 15 if signed else 11
    dataset.PixelRepresentation = int(signed)
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = f"{place.device.intercept}", "1", "HU"
    stored = image.astype(np.int32) - place.device.intercept
    stored = stored if signed else np.clip(stored, 0, 4095)
    dataset.PixelData = stored.astype("<i2" if signed else "<u2").tobytes()
    dataset["PixelData"].VR = "OW"


def _private_blocks(dataset: Dataset, place: Hospital, person: Person, visit: Visit) -> None:
    known = {
        "family": person.family,
        "given": person.given,
        "number": person.number,
        "address": person.address,
        "phone": person.phone,
        "relative_phone": person.relative_phone,
        "accession": visit.accession,
    }
    for group, creator, elements in place.device.private:
        block = dataset.private_block(group, creator, create=True)
        for element, vr, value in elements:
            filled = value.format(**known)
            block.add_new(element, vr, int(filled) if vr in {"SS", "SL"} else filled)


def _uid(words: str, place: Hospital) -> str:
    """A UID as scanners make them: the maker's root, and numbers that tell nobody anything."""
    number = int.from_bytes(hashlib.sha256(f"{place.device.serial}/{words}".encode()).digest()[:12])
    return f"{_ROOT}.{number}"
