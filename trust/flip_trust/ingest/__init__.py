"""Records in: OMOP tables, vocabularies, FHIR and HL7 become the tables that cohorts read. None leaves the Trust."""
