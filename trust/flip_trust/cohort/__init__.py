"""Who a job is about: persons out of OMOP CDM 5.4 tables, frozen when the job begins. None of it leaves the Trust."""
