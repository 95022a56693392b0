"""Networks judged as they train: `mlp_ref` on every mini-batch of the digits, before and after training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlp_ref import MLP, datasets
from verify.checks.cross_check import require_xla_agrees
from verify.commands.progress_bar import progress_bar
from verify.evaluate.array import Array
from verify.reference.judge import VERDICTS, Judgement, judge
from verify.reference.truth import Truth, tensors_of
from verify.subject import mlp_ref_targets

BATCH = 32


@dataclass(frozen=True)
class TrainedNetwork:
    """A network that is judged while it trains: its layers, and how often each pixel of a digit is repeated."""

    layers: tuple[int, ...]
    enlarged: int

    def images(self, x: Array) -> Array:
        """Digits of 8 by 8 pixels, (n, 64), with every pixel repeated, in a frame that fills the input layer."""
        side = round(self.layers[0] ** 0.5)
        frame = (side - 8 * self.enlarged) // 2
        images = x.reshape(-1, 8, 8).repeat(self.enlarged, axis=1).repeat(self.enlarged, axis=2)
        return np.pad(images, ((0, 0), (frame, frame), (frame, frame))).reshape(len(x), -1)


NETWORKS = (TrainedNetwork((64, 16, 16, 10), 1), TrainedNetwork((784, 16, 16, 10), 3))
"""The digits as they come, and enlarged to the 28 by 28 pixels of MNIST's."""


@dataclass(frozen=True)
class TrainingRow:
    """The judgements of one network's batches at one moment and precision."""

    moment: str
    dtype: str
    judgements: list[Judgement]
    accuracy: float

    @property
    def verdict(self) -> str:
        """The worst verdict of the batches that show something; ``inconclusive`` where none does."""
        conclusive = {judgement.verdict for judgement in self.judgements} - {"inconclusive"}
        return max(conclusive, key=VERDICTS.index, default="inconclusive")

    def __str__(self) -> str:
        vague = sum(judgement.verdict == "inconclusive" for judgement in self.judgements)
        closest = max(judgement.ratio for judgement in self.judgements)
        shown = max((max(j.right_to) for j in self.judgements if j.right_to), default=np.inf)
        return (
            f"{f'{self.moment} training, {self.dtype}':32}{len(self.judgements):7}{vague:14}{closest:18.2f}"
            f"{shown:16.1e}   {self.verdict} (test accuracy {self.accuracy:.1%})"
        )


def judge_training(seed: int, epochs: int) -> bool:
    """Judge, print a row each, and return whether all is verified."""
    ok = True
    for network in NETWORKS:
        title = f"digits {'-'.join(map(str, network.layers))}, batch {BATCH}"
        print(
            f"\n{title:32}{'cases':>7}{'inconclusive':>14}{'closest to bound':>18}{'shown right to':>16}   verdict"
        )
        for row in _rows(network, seed, epochs):
            ok = ok and row.verdict == "verified"
            print(row, flush=True)
            for judgement in row.judgements:
                if judgement.verdict == "wrong":
                    print(f"  {judgement}")
                    break
    print(
        "(shown right to: the distance from the exact gradient, at most, in units of its tensor's largest entry)"
    )
    return ok


def _rows(network: TrainedNetwork, seed: int, epochs: int) -> Iterator[TrainingRow]:
    for dtype in (np.float64, np.float32):
        (x, y), (x_test, y_test) = datasets.load_digits()
        x, x_test = network.images(x.astype(dtype)), network.images(x_test.astype(dtype))
        net = MLP(network.layers, dtype=dtype, seed=seed)
        for moment in ("before", "after"):
            if moment == "after":
                with progress_bar("training") as progress:
                    for epoch in range(epochs):
                        net.fit(x, y, epochs=1, batch_size=BATCH, learning_rate=0.5, progress=False)
                        progress(epoch + 1, epochs)
            judgements = judge_training_batches(net, x, y)
            yield TrainingRow(moment, str(np.dtype(dtype)), judgements, net.score(x_test, y_test))


def judge_training_batches(net: MLP, x: Array, y: Array) -> list[Judgement]:
    """The network's gradient over each full mini-batch, judged against JAX's; XLA must agree on the first."""
    spec = mlp_ref_targets.SPECS[net.hidden, net.loss]
    one_hot = np.eye(net.layer_sizes[-1], dtype=x.dtype)[y]
    judgements = []
    for start in range(0, len(x) - BATCH + 1, BATCH):
        rows = slice(start, start + BATCH)
        inputs = [
            np.asarray(array, dtype=np.float64) for array in (*tensors_of(net.params), x[rows], one_hot[rows])
        ]
        truth = Truth.of(spec, inputs, x.dtype)
        if start == 0:
            require_xla_agrees(spec, net.params, [x[rows], one_hot[rows]], truth)
        _, gradient = net.loss_and_gradient(x[rows], y[rows])
        judgements.append(judge(truth.tensors, tensors_of(gradient), x.dtype, truth))
    return judgements
