"""The hub's arithmetic over what Trusts released: pure functions of noisy numbers, so none of it costs privacy.

- :func:`scaling_from`: shared feature scaling out of ``prepare``.
- :func:`start`, :func:`descend`, :func:`average`: one round of training on a state that is bytes, so that a checkpoint
  resumes exactly; :func:`current_weights` and :func:`trained_weights` read it.
- :func:`figures`: accuracy, AUC and majority share with standard errors, out of noisy histograms.

Sources. Full-batch DP gradient descent: Bassily, Smith and Thakurta, "Private Empirical Risk Minimization", FOCS 2014,
arXiv 1405.7085; averaging the last half of the iterates: Rakhlin, Shamir and Sridharan, "Making Gradient Descent
Optimal for Strongly Convex Stochastic Optimization", ICML 2012, arXiv 1109.5647. Federated averaging: McMahan et al.,
AISTATS 2017, arXiv 1602.05629. The Gaussian mechanism: Dwork and Roth 2014, appendix A; its Rényi accounting: Mironov,
CSF 2017, arXiv 1702.07476. Standard error of an AUC: DeLong et al., Biometrics 1988.
"""

from flip_sdk.mechanisms.aggregate.figures import figures
from flip_sdk.mechanisms.aggregate.scaling import Prepared, scaling_from
from flip_sdk.mechanisms.aggregate.training import average, current_weights, descend, start, trained_weights

__all__ = [
    "Prepared",
    "average",
    "current_weights",
    "descend",
    "figures",
    "scaling_from",
    "start",
    "trained_weights",
]
