"""One case, a right gradient, loss and forward pass, and what fails when something else is put in their place."""

import pytest

import verify
from mlp_ref import forward, loss_and_gradient, softmax
from verify.checks.examine import examine_case
from verify.reference.spec import Spec
from verify.subject.failed import Failed
from verify.subject.target import Target

CASE = verify.Case((3, 4, 2), batch=5, seed=1)
SPEC = Spec()


def right(params, x, y):
    return loss_and_gradient(params, x, y)[1]


def loss(params, x, y):
    return loss_and_gradient(params, x, y)[0]


def outputs(params, x):
    return softmax(forward(params, x))


def failure(gradient, follow_up="gradient", case=CASE, **parts):
    target = gradient if isinstance(gradient, Target) else Target(gradient, **parts)
    with pytest.raises(Failed) as raised:
        examine_case(target, SPEC, case, follow_up)
    return raised.value
