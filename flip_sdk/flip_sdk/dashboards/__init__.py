"""For dashboard notebooks: the released results that were published with them, and pictures that need no network.

from flip_sdk import dashboards

results = dashboards.load_results()
dashboards.learning_curves(results)
"""

from flip_sdk.extras import needed

with needed("notebook", "A dashboard"):
    from flip_sdk.dashboards.charts import learning_curves, privacy_spent, quality_by_trust
    from flip_sdk.dashboards.loading import Results, load_results
    from flip_sdk.dashboards.pictures import Picture
    from flip_sdk.dashboards.reliability import reliability
    from flip_sdk.dashboards.shown import examples, inputs
    from flip_sdk.dashboards.words import Words, limits, summary, what_epsilon_means

__all__ = [
    "Picture",
    "Results",
    "Words",
    "examples",
    "inputs",
    "learning_curves",
    "limits",
    "load_results",
    "privacy_spent",
    "quality_by_trust",
    "reliability",
    "summary",
    "what_epsilon_means",
]
