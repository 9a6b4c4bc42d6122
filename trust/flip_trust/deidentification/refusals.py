"""Why a file is not let through: fixed reasons, so that no refusal can carry what the file says."""

from __future__ import annotations

from enum import StrEnum

from flip_trust.errors import TrustError


class Reason(StrEnum):
    """Reasons; each value is what a person reads."""

    UNREADABLE = "the file cannot be read"
    TOO_LARGE = "the file is larger than the limit"
    NOT_DICOM = "not a DICOM Part 10 file"
    BROKEN = "not valid DICOM: lengths, order or tags are wrong"
    TOO_DEEP = "sequences are nested too deeply"
    TRANSFER_SYNTAX = "the transfer syntax is not one of the standard's"
    INFLATED = "the deflated data are larger than the limit"
    SOP_CLASS = "the SOP class is missing, private or not a storage class of the standard"
    REFUSED_CLASS = "the profile refuses this SOP class"
    NO_UIDS = "the study, series or instance UID is missing or not a UID"
    SLIDE_LABEL = "a slide's label or overview, which shows the patient"
    HIDDEN_OVERLAY = "an overlay lies in the pixels' unused bits"
    BURNED_IN = "text was found in the picture"
    BURNED_IN_FLAG = "the file says that text is burned in, and no mask of the profile covers it"
    NO_TESSERACT = "pictures of this kind are checked for text, and tesseract is not installed"
    PIXELS = "the picture has to be checked for text or masked, and its pixels cannot be decoded"
    DUPLICATE = "another file of the same instance UID is there with other content: use a fresh folder"
    DELETED = "deleted by the data steward"
    FAILED = "the engine failed on this file: please report it to FLIP's maintainers"

    @property
    def dropped(self) -> bool:
        """Whether the file is of no use to anyone, so that no copy is kept."""
        return self is Reason.SLIDE_LABEL


class RefusedFileError(TrustError):
    """A file goes to quarantine.

    Attributes:
        reason: why; the only thing that is told.
    """

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason.value)
