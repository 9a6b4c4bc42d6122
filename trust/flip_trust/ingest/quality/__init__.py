"""Whether the Trust's tables are complete, plausible and in conformance: a report for its data manager.

The three categories are those of Kahn et al. (2016), which OHDSI's Data Quality Dashboard uses; the checks are our own,
as data in ``checks.csv``.
"""
