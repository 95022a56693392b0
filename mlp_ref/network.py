"""MLP: the network a user holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.activations import ACTIVATIONS
from mlp_ref.arrays import Floats, Integers, real_array, require_finite
from mlp_ref.calls import for_each_piece, fresh_gradient, fresh_logits
from mlp_ref.checks import (
    check_choice,
    check_dtype,
    check_layer_sizes,
    check_number,
    check_params,
    check_rows,
    check_seed,
)
from mlp_ref.fitting import fit
from mlp_ref.initialisation import INITIALISATIONS, default_initialisation, initial_parameters
from mlp_ref.losses import LOSSES
from mlp_ref.model_and_rows import Model
from mlp_ref.optimisers import Optimiser, as_optimiser
from mlp_ref.params import Layer, Params, as_layers, flatten
from mlp_ref.pool import Pool
from mlp_ref.quiet import quietly
from mlp_ref.sample_weights import check_sample_weight
from mlp_ref.scores import accuracy, r_squared
from mlp_ref.softmax import put_softmax
from mlp_ref.targets import check_targets, target_labels

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import DTypeLike, NDArray

    from mlp_ref.calls import Put
    from mlp_ref.history import History
    from mlp_ref.lbfgs import LBFGS
    from mlp_ref.schedules import Schedule
    from mlp_ref.stopping import EarlyStopping
    from mlp_ref.targets import Targets
    from mlp_ref.workspace import LossBuffers

__all__ = ["MLP"]


class MLP:
    """A multilayer perceptron: affine layers, with an activation between them and a loss at the end.

    Parameters
    ----------
    layer_sizes : sequence of int
        The number of inputs, then of every layer's outputs: ``[784, 16, 16, 10]``.
    hidden : {"sigmoid", "tanh", "relu", "identity"}
        The activation between layers.
    loss : {"cross_entropy", "softmax_mse", "mse"}
        The first two have a softmax output and class targets; ``"mse"`` is regression on the
        outputs as they are.
    init : {"glorot", "he", "normal"}, optional
        How parameters start, see `mlp_ref.initialisation`; by default ``"he"`` for relu and
        ``"glorot"`` otherwise. ``"normal"`` draws weights and biases from the standard normal.
    dtype : float32 or float64
        Of the parameters, and of every input and result.
    seed : int, optional
        Seeds the one generator that draws the parameters and shuffles the rows: the same seed
        gives the same bits. Without a seed, each network starts from different parameters.

    Attributes
    ----------
    flat : vector
        All parameters; `params` are views of it. Change it in place, or assign another vector.
    """

    def __init__(
        self,
        layer_sizes: Sequence[int],
        hidden: str = "sigmoid",
        loss: str = "cross_entropy",
        *,
        init: str | None = None,
        dtype: DTypeLike = np.float32,
        seed: int | None = None,
    ) -> None:
        self._layer_sizes = check_layer_sizes(layer_sizes)
        check_choice(hidden, "hidden", ACTIVATIONS)
        check_choice(loss, "loss", LOSSES)
        self._hidden = hidden
        self._loss = loss
        if init is not None:
            check_choice(init, "init", INITIALISATIONS)
        self._init = init or default_initialisation(hidden)
        checked_dtype = check_dtype(dtype)
        self._rng = np.random.default_rng(check_seed(seed))
        self._flat = initial_parameters(self._layer_sizes, self._init, checked_dtype, self._rng)
        self._kept_optimiser: tuple[str, Optimiser] | None = None
        self._prepare()

    def _prepare(self) -> None:
        """Make what calls use again: the views of the parameters, and the workspaces of a few batch sizes."""
        self._layers = as_layers(self._flat, self._layer_sizes)
        # For a batch of one row: NumPy adds a row to a row in half the time of a vector.
        self._layers_for_a_row = [Layer(weight, bias[None, :]) for weight, bias in self._layers]
        self._of_classes = LOSSES[self._loss].of_classes
        self._pool = Pool()

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(self).items()
            if name not in ("_layers", "_layers_for_a_row", "_of_classes", "_pool")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._prepare()

    def __repr__(self) -> str:
        return (
            f"MLP({list(self._layer_sizes)}, hidden={self._hidden!r}, loss={self._loss!r}, "
            f"init={self._init!r}, dtype={self.dtype}) with {self._flat.size:,} parameters"
        )

    def _repr_html_(self) -> str:
        """Return a table of the layers for a notebook."""
        from mlp_ref.notebook_html import network_html

        return network_html(self)

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The number of inputs, then of every layer's outputs."""
        return self._layer_sizes

    @property
    def hidden(self) -> str:
        """The name of the activation between layers."""
        return self._hidden

    @property
    def loss(self) -> str:
        """The name of the loss."""
        return self._loss

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the parameters, float32 or float64."""
        return self._flat.dtype

    @property
    def flat(self) -> Floats:
        """All parameters as one vector: layer by layer, the weight row by row, then the bias.

        An assigned vector is checked and copied.
        """
        return self._flat

    @flat.setter
    def flat(self, vector: Floats) -> None:
        vector = real_array(vector, "flat")
        if vector.shape != self._flat.shape:
            raise ValueError(f"flat must have shape {self._flat.shape}, got {vector.shape}")
        if vector.dtype != self.dtype:
            raise TypeError(f"flat must have the dtype of the network, {self.dtype}, got {vector.dtype}")
        require_finite(vector, "flat")
        self._flat[:] = vector

    @property
    def params(self) -> list[Layer]:
        """The layers, first one first, as views of `flat`: write to them, and the network has changed.

        An assigned list is checked and copied. What is written to a view is not: a parameter that is not finite is
        an error where it makes a result so, and has the effect of its limit where an activation makes it finite.
        """
        return as_layers(self._flat, self._layer_sizes)

    @params.setter
    def params(self, params: Params) -> None:
        params, sizes, dtype = check_params(params)
        if sizes != self._layer_sizes:
            raise ValueError(f"params must have the layer sizes {list(self._layer_sizes)}, got {list(sizes)}")
        if dtype != self.dtype:
            raise TypeError(f"params must have the dtype of the network, {self.dtype}, got {dtype}")
        self._flat[:] = flatten(params)

    def forward(self, x: Floats) -> Floats:
        """Return the logits, or for ``"mse"`` the outputs: (batch, n_in) in, (batch, n_out) out."""
        x = self._inputs(x)
        return fresh_logits(self._layers_for(x), self._layer_sizes, x, self._hidden, self._pool)

    def _layers_for(self, x: Floats) -> list[Layer]:
        return self._layers_for_a_row if len(x) == 1 else self._layers

    def _inputs(self, x: Floats) -> Floats:
        return check_rows(x, self._layer_sizes[0], self._flat.dtype)

    def _checked_targets(self, y: Targets, rows: int) -> Targets:
        shape = rows, self._layer_sizes[-1]
        return check_targets(y, shape, self._flat.dtype, of_classes=self._of_classes)

    def loss_and_gradient(
        self, x: Floats, y: Targets, *, sample_weight: Floats | None = None, l2: float = 0.0
    ) -> tuple[float, list[Layer]]:
        """Return the loss of a batch and its gradient; see `mlp_ref.loss_and_gradient`."""
        sizes, dtype = self._layer_sizes, self._flat.dtype
        x = check_rows(x, sizes[0], dtype)
        y = check_targets(y, (len(x), sizes[-1]), dtype, of_classes=self._of_classes)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, len(x), dtype)
        if l2 or type(l2) is not float:
            l2 = check_number(l2, "l2", least=0)
        layers, hidden, loss, pool = self._layers_for(x), self._hidden, self._loss, self._pool
        return quietly(fresh_gradient, layers, sizes, x, y, hidden, loss, pool, sample_weight, l2)

    def fit(
        self,
        x: Floats,
        y: Targets,
        *,
        epochs: int = 20,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        l2: float = 0.0,
        sample_weight: Floats | None = None,
        class_weight: Mapping[int, float] | Sequence[float] | str | None = None,
        optimiser: str | Optimiser | LBFGS = "sgd",
        schedule: str | Schedule = "constant",
        validation: tuple[Floats, Targets] | float | None = None,
        stopping: EarlyStopping | bool | None = None,
        callbacks: Sequence[Callable[[MLP, History], object]] = (),
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: int = 1,
        resume: bool = False,
        shuffle: bool = True,
        progress: bool = False,
    ) -> History:
        """Train from where the network stands, by gradient descent on mini-batches: a second call goes on.

        Every epoch takes the rows in a new random order, `batch_size` at a time. A step is
        `learning_rate` times the gradient of the mean loss of its batch, also for a last batch
        that has fewer rows, or what the optimiser makes of it.

        Parameters
        ----------
        x : (rows, n_in) array of the dtype of the network
        y : (rows,) integer class labels, or (rows, n_out) array of the dtype of the network
        epochs, batch_size : int
            With L-BFGS, an epoch is an iteration, and a batch all rows.
        learning_rate : float
            Of the first epoch; L-BFGS finds its own.
        l2 : float
            Adds ``l2 / 2 * sum(weight**2)`` over all layers to the loss of each step; biases are not penalised.
        sample_weight : (rows,) array of the dtype of the network, optional
            How much each row counts, of which the mean over the rows is made 1. A row that weighs 0 is left out.
        class_weight : mapping or sequence of numbers, or "balanced", optional
            What the rows of each class weigh, times their own weight. Classes that a mapping lacks weigh 1;
            ``"balanced"`` gives each class the same sum.
        optimiser : {"sgd", "adam", "lbfgs"}, or an `SGD`, `Adam` or `LBFGS`
            A name begins anew; an instance goes on where the last training it was used in ended.
        schedule : {"constant", "inverse_scaling", "adaptive", "cosine"}, or one of `mlp_ref.schedules`
            How the rate changes from epoch to epoch. Or any function ``(first, at) -> rate``, with a `Moment`.
        validation : pair (x, y) or float, optional
            Evaluated at the end of every epoch. A number is the fraction of the rows that is drawn at
            random for this and not trained on.
        stopping : EarlyStopping or bool, optional
            Ends the training when a figure stops improving; True watches the validation loss.
        callbacks : sequence of functions ``(net, history)``
            Each is called at the end of every epoch; the training ends where one returns True.
        checkpoint, checkpoint_every : path of a directory, int
            Where the state of the training is written, every so many epochs and at its end; without a path, nowhere.
        resume : bool
            Go on from the checkpoint in that directory, or begin where there is none. The result has
            the bits of a training that was never interrupted; arguments other than `epochs` must be
            those it began with, and with a schedule that depends on them, the epochs too.
        shuffle : bool
            Whether each epoch takes the rows in a new order.
        progress : bool
            Show a bar on a terminal where tqdm is installed, otherwise print a line per epoch.

        Returns
        -------
        history : History
            With Ctrl-C, what there is until then: the epoch that was interrupted is not in it,
            but its steps are in the parameters, unless early stopping kept the best ones.

        Raises
        ------
        FloatingPointError
            Where the loss or a parameter stops being finite. The parameters are then those of
            the end of the epoch before.
        """
        return fit(
            self,
            Model(self._flat, self._layer_sizes, self._hidden, self._loss),
            self._rng,
            x,
            y,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            l2=l2,
            sample_weight=sample_weight,
            class_weight=class_weight,
            optimiser=optimiser,
            schedule=schedule,
            validation=validation,
            stopping=stopping,
            callbacks=callbacks,
            checkpoint=checkpoint,
            checkpoint_every=checkpoint_every,
            resume=resume,
            shuffle=shuffle,
            progress=progress,
        )

    def partial_fit(
        self,
        x: Floats,
        y: Targets,
        *,
        batch_size: int = 32,
        learning_rate: float = 0.01,
        l2: float = 0.0,
        sample_weight: Floats | None = None,
        class_weight: Mapping[int, float] | Sequence[float] | str | None = None,
        optimiser: str | Optimiser = "sgd",
        shuffle: bool = True,
    ) -> History:
        """Train for one epoch on rows that have just come in; arguments as for `fit`.

        The optimiser of a name is kept, with its memory, from one call to the next with that name. It is not part of
        what `save` and `copy` keep.
        """
        kept = self._kept_optimiser if isinstance(optimiser, str) else None
        chosen = kept[1] if kept and kept[0] == optimiser else as_optimiser(optimiser)
        if not isinstance(chosen, Optimiser):
            raise ValueError(
                f"partial_fit needs an optimiser for mini-batches, sgd or adam, got {optimiser!r}"
            )
        history = self.fit(
            x,
            y,
            epochs=1,
            batch_size=batch_size,
            learning_rate=learning_rate,
            l2=l2,
            sample_weight=sample_weight,
            class_weight=class_weight,
            optimiser=chosen,
            shuffle=shuffle,
        )
        if isinstance(optimiser, str):
            self._kept_optimiser = (optimiser, chosen)
        return history

    def predict(self, x: Floats) -> Floats | Integers:
        """Return the most probable class of every row, (batch,); for ``"mse"``, the outputs, (batch, n_out)."""
        if not self._of_classes:
            return self.forward(x)
        x = self._inputs(x)
        classes = np.empty(len(x), np.intp)
        self._for_each_piece(x, classes, _put_most_probable)
        return classes

    def _for_each_piece(self, x: Floats, results: NDArray[Any], put: Put) -> None:
        layers = self._layers_for(x)
        quietly(for_each_piece, layers, self._layer_sizes, x, self._hidden, self._pool, results, put)

    def predict_proba(self, x: Floats) -> Floats:
        """Return the probability of every class, (batch, n_out); a network with ``"mse"`` has none."""
        if not self._of_classes:
            raise ValueError(
                f'predict_proba needs a softmax loss, but this network has loss="{self._loss}"; use predict'
            )
        x = self._inputs(x)
        p = np.empty((len(x), self._layer_sizes[-1]), x.dtype)
        self._for_each_piece(x, p, _put_probabilities)
        return p

    def score(self, x: Floats, y: Targets) -> float:
        """Return the fraction of rows whose class is predicted, or for ``"mse"`` R², averaged over the outputs."""
        predictions: NDArray[Any] = self.predict(x)
        y = self._checked_targets(y, len(predictions))
        return accuracy(predictions, target_labels(y)) if self._of_classes else r_squared(predictions, y)

    def copy(self) -> MLP:
        """Return a network with these parameters and this random state, which shares no memory with this one."""
        twin = MLP(self._layer_sizes, self._hidden, self._loss, init=self._init, dtype=self.dtype)
        twin._flat[:] = self._flat
        twin._rng.bit_generator.state = self._rng.bit_generator.state
        return twin

    __copy__ = copy

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to the file `path`, named exactly so.

        The file is replaced whole: an interrupted save leaves what was there before. The random
        state is in it, so that a loaded network trains on as this one would.
        """
        import json

        from mlp_ref.npz import write_npz

        write_npz(
            path,
            {
                "layer_sizes": np.array(self._layer_sizes, np.int64),
                "hidden": np.array(self._hidden),
                "loss": np.array(self._loss),
                "init": np.array(self._init),
                "random_state": np.array(json.dumps(self._rng.bit_generator.state)),
                "flat": self._flat,
            },
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> MLP:
        """Return the network saved in the file `path`.

        Raises
        ------
        FileNotFoundError
            Where there is no such file.
        ValueError
            Where it is no saved network, or is damaged; says what is wrong with it.
        """
        import json

        from mlp_ref.npz import read_npz

        names = ("layer_sizes", "hidden", "loss", "init", "random_state", "flat")
        arrays = read_npz(path, names)
        try:
            sizes, hidden, loss, init, random_state = (arrays[name].tolist() for name in names[:-1])
            flat = real_array(arrays["flat"], "flat")
            net = cls(sizes, hidden, loss, init=init, dtype=flat.dtype)
            net.flat = flat
            net._rng.bit_generator.state = json.loads(random_state)
        except (TypeError, ValueError, KeyError) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
        return net


def _put_most_probable(classes: Integers, logits: Floats, _: LossBuffers) -> None:
    logits.argmax(axis=1, out=classes)


def _put_probabilities(p: Floats, logits: Floats, buffers: LossBuffers) -> None:
    put_softmax(p, logits, buffers.row_starts, buffers.ones)
