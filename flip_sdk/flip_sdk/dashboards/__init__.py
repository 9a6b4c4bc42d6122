"""For dashboard notebooks: the released results that were published with them, and pictures that need no network.

from flip_sdk import dashboards

results = dashboards.load_results()
dashboards.learning_curves(results)
"""

from flip_sdk.extras import needed

with needed("notebook", "A dashboard"):
    from flip_sdk.dashboards.charts import learning_curves, privacy_spent, quality_by_trust
    from flip_sdk.dashboards.counted import cohorts, persons
    from flip_sdk.dashboards.described import description
    from flip_sdk.dashboards.learned import learned_from
    from flip_sdk.dashboards.loading import Results, load_results
    from flip_sdk.dashboards.monitored import holds, over_time, volumes
    from flip_sdk.dashboards.pictures import Picture
    from flip_sdk.dashboards.reliability import reliability
    from flip_sdk.dashboards.shown import examples, inputs
    from flip_sdk.dashboards.subgroups import differences, served, subgroups
    from flip_sdk.dashboards.words import Parts, Words, limits, summary, what_epsilon_means

__all__ = [
    "Parts",
    "Picture",
    "Results",
    "Words",
    "cohorts",
    "description",
    "differences",
    "examples",
    "holds",
    "inputs",
    "learned_from",
    "learning_curves",
    "limits",
    "load_results",
    "over_time",
    "persons",
    "privacy_spent",
    "quality_by_trust",
    "reliability",
    "served",
    "subgroups",
    "summary",
    "volumes",
    "what_epsilon_means",
]
