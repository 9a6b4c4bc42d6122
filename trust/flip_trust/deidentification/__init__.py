"""De-identification of DICOM after PS3.15 Annex E, driven by tables under ``policies/deidentification``."""
