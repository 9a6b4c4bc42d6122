"""Images in: receiving, keeping and indexing DICOM, inside the hospital's own network."""
