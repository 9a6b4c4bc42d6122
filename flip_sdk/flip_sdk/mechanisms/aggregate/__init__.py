"""The hub's arithmetic over what Trusts released: pure functions of noisy numbers, so none of it costs privacy.

- :func:`scaling_from`: shared feature scaling out of ``prepare``.
- :func:`start`, :func:`advance`: one round of training on a state that is bytes, so that a checkpoint resumes exactly;
  :func:`current_weights`, :func:`correction_for` and :func:`trained_weights` read it.
- :func:`figures_of`: accuracy, AUC and majority share with standard errors, out of noisy histograms (:func:`figures`),
  or each class's recall and precision, out of noisy tables of several classes (:func:`class_figures`).

Sources. Full-batch DP gradient descent: Bassily, Smith and Thakurta, "Private Empirical Risk Minimization", FOCS 2014,
arXiv 1405.7085; averaging the last half of the iterates: Rakhlin, Shamir and Sridharan, "Making Gradient Descent
Optimal for Strongly Convex Stochastic Optimization", ICML 2012, arXiv 1109.5647. The Gaussian mechanism: Dwork and Roth
2014, appendix A; its Rényi accounting: Mironov, CSF 2017, arXiv 1702.07476. Standard error of an AUC: DeLong et al.,
Biometrics 1988.
"""

from flip_sdk.mechanisms.aggregate.confusion import class_figures
from flip_sdk.mechanisms.aggregate.evaluation import figures_of
from flip_sdk.mechanisms.aggregate.federated import average, correction_for
from flip_sdk.mechanisms.aggregate.figures import figures
from flip_sdk.mechanisms.aggregate.rounds import advance
from flip_sdk.mechanisms.aggregate.scaling import Prepared, scaling_from, standard
from flip_sdk.mechanisms.aggregate.solving import solve
from flip_sdk.mechanisms.aggregate.state import current_weights, start, trained_weights
from flip_sdk.mechanisms.aggregate.training import automatic_rate, descend

__all__ = [
    "Prepared",
    "advance",
    "automatic_rate",
    "average",
    "class_figures",
    "correction_for",
    "current_weights",
    "descend",
    "figures",
    "figures_of",
    "scaling_from",
    "solve",
    "standard",
    "start",
    "trained_weights",
]
