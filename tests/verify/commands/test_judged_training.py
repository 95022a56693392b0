"""The networks that the main job judges while they train."""

import numpy as np
import pytest

from mlp_ref import MLP, datasets
from verify.commands import judged_training
from verify.commands.judged_training import (
    BATCH,
    NETWORKS,
    TrainedNetwork,
    TrainingRow,
    judge_training,
    judge_training_batches,
)


def network(dtype, sizes=(4, 3, 2), rows=70):
    rng = np.random.default_rng(0)
    net = MLP(list(sizes), seed=0, dtype=dtype)
    return net, rng.standard_normal((rows, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], size=rows)


@pytest.mark.parametrize(("dtype", "precision"), [(np.float64, 1e-12), (np.float32, 2e-6)])
def test_the_gradient_of_each_batch_is_judged(dtype, precision):
    judgements = judge_training_batches(*network(dtype))
    assert [judgement.verdict for judgement in judgements] == ["verified"] * (70 // BATCH)
    assert all(0 < max(judgement.right_to) < precision for judgement in judgements)


def test_a_wrong_gradient_is_told(monkeypatch, capsys):
    def wrong(self, x, y):
        loss, ((weight, bias),) = MLP.loss_and_gradient(self, x, y)
        return loss, [(1.25 * weight, bias)]

    monkeypatch.setattr(judged_training, "NETWORKS", (TrainedNetwork((64, 10), 1),))
    monkeypatch.setattr(judged_training, "MLP", type("Wrong", (MLP,), {"loss_and_gradient": wrong}))
    assert not judge_training(0, 1)
    printed = capsys.readouterr().out
    assert "after training, float32" in printed
    assert "tensor='weight of layer 1'" in printed


def test_digits_are_enlarged_to_the_size_of_mnists():
    (x, _), _ = datasets.load_digits()
    small, large = (net.images(x[:3]) for net in NETWORKS)
    np.testing.assert_array_equal(small, x[:3])
    images = large.reshape(3, 28, 28)
    np.testing.assert_array_equal(images[:, 2:26:3, 2:26:3].reshape(3, 64), x[:3])
    np.testing.assert_array_equal(images[:, 4:26:3, 4:26:3].reshape(3, 64), x[:3])
    assert not images[:, [0, 1, 26, 27]].any()
    assert not images[:, :, [0, 1, 26, 27]].any()


def test_a_row_that_shows_nothing_is_inconclusive():
    judgements = judge_training_batches(*network(np.float32))
    vague = [type(j)(**{**j.__dict__, "verdict": "inconclusive"}) for j in judgements]
    assert TrainingRow("before", "float32", vague, 0.5).verdict == "inconclusive"
    assert TrainingRow("before", "float32", [vague[0], judgements[1]], 0.5).verdict == "verified"
    assert " 2             1 " in str(TrainingRow("before", "float32", [vague[0], judgements[1]], 0.5))
