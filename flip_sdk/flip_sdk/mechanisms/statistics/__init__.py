"""Statistics: from one column a person to bounded sums (at a Trust), and from noisy sums to estimates (at the hub).

``columns``     what is known of each person, and nothing else
``release``     shapes, noise and sensitivity of a question's release, from public values alone
``sums``        exact sums over persons
``tables``      cells: cross-tables and histograms
``quantiles``   quantiles out of a fine histogram
``survival``    Kaplan-Meier curves out of events and censorings by interval
``means``       means and standard deviations out of sums
``regression``  each person's part of a regression's sums
``newton``      regressions: rounds, then coefficients with standard errors
``answers``     from a question's noisy releases to its answer
"""
