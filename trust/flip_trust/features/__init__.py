"""From a job's inputs to its frozen cohort: who, when, which rows, and what a model is told and shown of each.

``index`` sets each person's index date, ``rows`` which records a person has, ``tabular`` the features of a row and
``labels`` its label; images come from ``flip_trust.features.images``. Everything is by ``person_id``, and
only of persons who are in the cohort, which nobody is who opted out.
"""
