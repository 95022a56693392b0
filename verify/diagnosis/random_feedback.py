"""Random feedback: the one mistake whose formula has unknown numbers in it, recognised by what they cannot change.

In ``da = dz @ B.T`` the matrix B is unknown, but every column of da is a combination of the few columns of dz.
"""

from __future__ import annotations

import numpy as np

from verify.case.case import Call, Case
from verify.diagnosis.evidence import Evidence
from verify.diagnosis.mistakes.right_backprop import SLOPES, right_delta, right_output
from verify.diagnosis.observation import observe
from verify.evaluate.array import Array
from verify.reference.judge import judge
from verify.reference.tensors import layers_of_tensors
from verify.reference.truth import GradientFunction

_SMALL = float(np.sqrt(np.finfo(np.float64).eps / 2))


def random_feedback(gradient: GradientFunction, evidence: Evidence) -> bool:
    """Tell whether the delta below the output goes through a matrix that is drawn anew at each call.

    With fewer outputs than rows, and more inputs than rows, the delta of the first layer can be recovered from the
    gradient of its weight: ``dweight = x.T @ dz`` has one solution. What then lies outside the columns of the
    output delta must be rounding. A rank is a decision about zeros: sqrt(u) of the largest entry makes it here, as
    where a bound is judged to be vacuous.
    """
    if len(evidence.observations) < 2:  # there was no time for more
        return False
    labels = evidence.observations[1].case.labels
    first, second, *_ = observe(gradient, Case((19, 9, 3), 11, labels=labels, seed=77)).seen
    if first.returned is None or second.returned is None:
        return False
    if not (evidence.leaves_all_untouched and evidence.leaves_results):
        return False  # that is another mistake, which this one does not account for
    truth = evidence.truth(first.call).tensors
    for result in (first.returned, second.returned):
        if [tensor.shape for layer in result for tensor in layer] != [value.shape for value, _ in truth]:
            return False
        if judge(truth[2:], result[1], "float64").verdict == "wrong":
            return False
        if not _goes_back_through_some_matrix(evidence, first.call, *result[0]):
            return False
    return first.returned[0][0].tobytes() != second.returned[0][0].tobytes()


def _goes_back_through_some_matrix(evidence: Evidence, call: Call, dweight: Array, dbias: Array) -> bool:
    """Tell whether the gradient of layer 1 is that of ``da = dz @ B.T`` with some B."""
    spec = evidence.spec
    *tensors, x, _ = call.inputs()
    below = np.linalg.lstsq(x.T, dweight - spec.l2 * layers_of_tensors(tensors)[0].weight, rcond=None)[0]
    if np.max(abs(below.sum(axis=0) - dbias)) > _SMALL * np.max(abs(dbias)):
        return False
    net = evidence.net(call)
    above = right_delta(net, right_output(net)).value
    slope = np.asarray(SLOPES[spec.hidden](net.z[0].value, net.a[1].value), dtype=float)
    for unit in range(slope.shape[1]):
        live = slope[:, unit] != 0  # a row that relu has cut off does not depend on B
        da = below[live, unit] / slope[live, unit]
        combination = np.linalg.lstsq(above[live], da, rcond=_SMALL)[0]
        if np.max(abs(above[live] @ combination - da), initial=0.0) > _SMALL * np.max(abs(da), initial=0.0):
            return False
    return True
