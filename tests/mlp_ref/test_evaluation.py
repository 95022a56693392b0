import math

import numpy as np
import pytest

from mlp_ref import MLP
from mlp_ref.evaluation import evaluate
from mlp_ref.model_and_rows import Model, Rows
from mlp_ref.workspace import ROWS_AT_ONCE


def test_evaluation_of_many_rows_is_weighted_by_their_number():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS_AT_ONCE + 10, 4))
    y = (x[:, 0] > 0) + 2 * (x[:, 1] > 0).astype(int)
    net = MLP([4, 5, 4], dtype=np.float64, seed=0)
    loss, accuracy = evaluate(Model(net.flat, net.layer_sizes, net.hidden, net.loss), Rows(x, y))
    assert loss == pytest.approx(net.loss_and_gradient(x, y)[0], rel=1e-13)
    assert accuracy == net.score(x, y)
    assert math.isfinite(loss)
