from __future__ import annotations

from io import BytesIO

import numpy as np
import pydicom
import pytest
from flip_trust.deidentification import profile
from flip_trust.deidentification.engine import Engine
from flip_trust.deidentification.keyed import Keyed
from flip_trust.deidentification.profile import Profile
from flip_trust.deidentification.refusals import Reason, RefusedFileError
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.trust.deidentification.canaries import SYNTAXES, as_bytes, plain


def cleaned(engine: Engine, data: bytes) -> Dataset:
    made = engine.clean(data)
    return pydicom.dcmread(BytesIO(made.frame + made.data_set))


@pytest.mark.parametrize("syntax", [*SYNTAXES, DeflatedExplicitVRLittleEndian])
def test_the_picture_stays_and_the_file_says_what_was_done(default, syntax) -> None:
    made = cleaned(default, as_bytes(plain(StudyDate="20200101"), syntax))

    assert made.PixelData == plain().PixelData
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID
    assert made.file_meta.TransferSyntaxUID == syntax
    assert made.preamble == bytes(128)
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "REMOVED"
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113105", "113108", "113111"]


def test_a_persons_studies_stay_together_over_restarts(shifting) -> None:
    again = Engine(profile.load("retain-dates-shifted"), Keyed(b"k" * 32))
    first = cleaned(shifting, as_bytes(plain(StudyDate="20200101", AcquisitionDateTime="20200101235959")))
    second = cleaned(again, as_bytes(plain(StudyDate="20200311", StudyInstanceUID="1.9", FrameOfReferenceUID="1.2")))

    shift = shifting._keyed.shift("NHS 943 476 5919")
    days = [np.datetime64(f"{d[:4]}-{d[4:6]}-{d[6:]}") for d in (first.StudyDate, second.StudyDate)]
    assert (days[1] - days[0]).astype(int) == 70
    assert (days[0] - np.datetime64("2020-01-01")).astype(int) == shift
    assert first.AcquisitionDateTime == f"{first.StudyDate}235959"
    assert first.PatientID == second.PatientID == str(first.PatientName) != "NHS 943 476 5919"
    assert first.StudyInstanceUID == second.FrameOfReferenceUID != "1.2"
    assert first.LongitudinalTemporalInformationModified == "MODIFIED"


def test_descriptions_keep_known_words_only(default) -> None:
    made = cleaned(
        default, as_bytes(plain(SeriesDescription="CT HEAD Smith 5mm 12/03/75", StudyDescription="Mr Jones"))
    )

    assert made.SeriesDescription == "CT HEAD 5mm"
    assert made.StudyDescription == "Mr"


def test_great_ages_become_ninety(default) -> None:
    assert cleaned(default, as_bytes(plain(PatientAge="103Y"))).PatientAge == "090Y"
    assert cleaned(default, as_bytes(plain(PatientAge="089Y"))).PatientAge == "089Y"


def test_registered_uids_stay(default) -> None:
    made = cleaned(default, as_bytes(plain(FrameOfReferenceUID="1.2.840.10008.1.4.1.1")))

    assert made.FrameOfReferenceUID == "1.2.840.10008.1.4.1.1"


def test_names_hide_in_no_figure(default) -> None:
    dataset = plain()
    dataset.add(pydicom.DataElement(0x00180050, "LO", "SMITH JOHN"))
    dataset.add(pydicom.DataElement(0x00180088, "DS", "1.5"))
    data = as_bytes(dataset).replace(b"1.5 ", b"JOHN")

    made = cleaned(default, data)

    assert "SliceThickness" not in made
    assert "SpacingBetweenSlices" not in made


def test_private_attributes_stay_by_creator_element_and_vr(default) -> None:
    dataset = plain()
    safe = dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True)
    safe.add_new(0x0C, "IS", "1000")
    safe.add_new(0x0E, "FD", [0.1, 0.2, 0.3])
    safe.add_new(0x27, "LO", "SMITH JOHN")
    safe.add_new(0x28, "LO", "SMITH JOHN")
    foreign = dataset.private_block(0x0019, "SMITH JOHN", create=True)
    foreign.add_new(0x0C, "IS", "1000")

    made = cleaned(default, as_bytes(dataset))

    block = made.private_block(0x0019, "SIEMENS MR HEADER")
    assert block[0x0C].value == 1000
    assert block[0x0E].value == [0.1, 0.2, 0.3]
    assert sum(element.tag.is_private for element in made) == 3


def test_sequences_of_allowed_private_creators_are_gone_through(keyed) -> None:
    block = {"creator": "SAFE", "elements": {"0029xx10": "SQ"}}
    engine = Engine(Profile(name="p", title="", purpose="", options=("safe_private",), private=(block,)), keyed)
    dataset, item = plain(), Dataset()
    item.PatientName, item.SliceThickness = "SMITH^JOHN", 2
    dataset.private_block(0x0029, "SAFE", create=True).add_new(0x10, "SQ", [item])

    made = cleaned(engine, as_bytes(dataset))

    assert made[0x0029, 0x1010].value[0].SliceThickness == 2
    assert "SMITH" not in str(made)


def test_strangers_without_an_id_share_nothing(shifting) -> None:
    one = cleaned(shifting, as_bytes(plain(PatientID="", StudyDate="20200101")))
    other = cleaned(shifting, as_bytes(plain(PatientID="", StudyDate="20200101", StudyInstanceUID="1.7")))

    assert one.PatientID != other.PatientID
    assert one.PatientID


def test_a_patient_id_in_another_character_set_is_the_same_person(default, keyed) -> None:
    dataset = plain(PatientID="MÜLLER")
    dataset.SpecificCharacterSet = "ISO_IR 100"

    assert cleaned(default, as_bytes(dataset)).PatientID == keyed.person_key("MÜLLER")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.11"}, Reason.REFUSED_CLASS),
        ({"SOPClassUID": "1.3.46.670589.11"}, Reason.SOP_CLASS),
        ({"SOPClassUID": "1.2.840.10008.1.3.10"}, Reason.SOP_CLASS),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, Reason.SLIDE_LABEL),
        ({"ImageType": ["DERIVED", "PRIMARY", "OVERVIEW", "NONE"]}, Reason.SLIDE_LABEL),
        ({"StudyInstanceUID": ""}, Reason.NO_UIDS),
    ],
)
def test_what_may_not_pass_is_refused_with_its_reason(default, values, reason) -> None:
    with pytest.raises(RefusedFileError) as refusal:
        default.clean(as_bytes(plain(**values)))
    assert refusal.value.reason is reason


def test_an_overlay_in_the_pixels_own_bits_is_refused(default) -> None:
    dataset = plain()
    dataset.add_new(0x60000102, "US", 15)

    with pytest.raises(RefusedFileError) as refusal:
        default.clean(as_bytes(dataset))
    assert refusal.value.reason is Reason.HIDDEN_OVERLAY


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_nothing_hides_behind_the_picture(default, syntax) -> None:
    dataset = plain()
    dataset.PixelData += b"SMITH^JOHN"

    assert cleaned(default, as_bytes(dataset, syntax)).PixelData == plain().PixelData


def test_masks_blacken_their_boxes_on_their_device_only(keyed) -> None:
    mask = {"manufacturer": "ACME", "model": "Sono 1", "rows": 8, "boxes": [[0, 0, 8, 2]]}
    engine = Engine(Profile(name="p", title="", purpose="", masks=(mask,)), keyed)
    ours = plain(Manufacturer="Acme", ManufacturerModelName="Sono 1")
    other = plain(Manufacturer="Acme", ManufacturerModelName="Sono 2")

    made = cleaned(engine, as_bytes(ours))

    assert not made.pixel_array[:2].any()
    assert made.pixel_array[2:].all()
    assert "113101" in [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert cleaned(engine, as_bytes(other)).pixel_array[:2].any()
