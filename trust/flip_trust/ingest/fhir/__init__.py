"""FHIR R4B, in bundles or in the files of a bulk export, into OMOP after HL7's FHIR-to-OMOP guide 1.0.0."""
