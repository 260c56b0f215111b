"""Importance ratios for a drifting mean action, in log space, and the weights made of them.

A stored population step was produced while the others played `old`; now they play `new`. The law of the mean action
of agent j's neighbours N(j) has drifted, so averages over stored steps are averages under the wrong mean field. For any
f of that mean action `E_new[f] = E_old[w_j f]`; the estimators differ in the law whose ratio w_j is. All take M
population steps of N agents, leave agent j itself out, and return log w [M, N].
"""

from mfmarl.core.importance.action_laws import action_moments
from mfmarl.core.importance.gaussian import gaussian_log_ratio, gaussian_log_ratio_one_hot
from mfmarl.core.importance.joint import joint_log_ratio
from mfmarl.core.importance.marginal import marginal_log_ratio
from mfmarl.core.importance.mixture import mixture_log_ratio
from mfmarl.core.importance.weights import DriftWeights, drift_weights, effective_sample_size

__all__ = [
    "DriftWeights",
    "action_moments",
    "drift_weights",
    "effective_sample_size",
    "gaussian_log_ratio",
    "gaussian_log_ratio_one_hot",
    "joint_log_ratio",
    "marginal_log_ratio",
    "mixture_log_ratio",
]
