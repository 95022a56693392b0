"""A call of `MLP.fit`: its arguments checked, the held-out rows drawn, a checkpoint found, and the training begun."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from mlp_ref.checks import check_inputs, check_number
from mlp_ref.held_out import held_out_rows, require_rows_to_train_on
from mlp_ref.lbfgs import LBFGS
from mlp_ref.losses import LOSSES
from mlp_ref.model_and_rows import Model, Rows
from mlp_ref.sample_weights import weights_of_rows
from mlp_ref.targets import check_targets
from mlp_ref.training import train
from mlp_ref.training_plan import checked_training_plan

if TYPE_CHECKING:
    import os

    import numpy as np

    from mlp_ref.arrays import Floats
    from mlp_ref.history import History
    from mlp_ref.targets import Targets
    from mlp_ref.training_plan import TrainingPlan

__all__ = ["fit"]


def fit(
    net: Any,
    model: Model,
    rng: np.random.Generator,
    x: Floats,
    y: Targets,
    *,
    sample_weight: object,
    class_weight: object,
    validation: object,
    callbacks: object,
    checkpoint: str | os.PathLike[str] | None,
    checkpoint_every: int,
    resume: bool,
    progress: bool,
    **settings: object,
) -> History:
    """Train the model of `net` in place; the arguments are those of `MLP.fit`."""
    data = _with_weights(model, _checked_rows(model, x, y), sample_weight, class_weight)
    apart, fraction = _checked_validation(model, validation)
    if fraction is not None:
        require_rows_to_train_on(data, fraction)
    plan = checked_training_plan(model.flat.dtype, model.loss, validates=validation is not None, **settings)
    functions = _checked_callbacks(callbacks)
    checkpoints: Any = None
    if checkpoint is not None:
        # Files take longer to import than the rest of this package, and few trainings write any.
        from mlp_ref.checkpoints import Checkpoints

        if isinstance(plan.optimiser, LBFGS):
            raise ValueError(
                "checkpoint needs the optimiser sgd or adam, got lbfgs: what L-BFGS remembers cannot be written"
            )
        decisive = _decisive(model, plan, data, apart, fraction)
        checkpoints = Checkpoints(checkpoint, checkpoint_every, resume, decisive)
    elif resume:
        raise ValueError(
            "resume=True needs checkpoint, the directory of the training to go on with, got none"
        )
    first_random_state: Any = rng.bit_generator.state
    if checkpoints and checkpoints.state:
        # The held-out rows are drawn again as they were then.
        first_random_state = checkpoints.state.first_random_state
        rng.bit_generator.state = first_random_state
    if fraction is not None:
        data, apart = held_out_rows(data, fraction, rng)
    return train(
        model,
        data,
        plan,
        rng=rng,
        validation=apart,
        callbacks=[partial(function, net) for function in functions],
        checkpoints=checkpoints,
        first_random_state=first_random_state,
        progress=progress,
    )


def _checked_rows(model: Model, x: object, y: object, prefix: str = "") -> Rows:
    sizes, dtype = model.layer_sizes, model.flat.dtype
    inputs = check_inputs(x, sizes[0], dtype, f"{prefix}x")
    of_classes = LOSSES[model.loss].of_classes
    targets = check_targets(y, (len(inputs), sizes[-1]), dtype, of_classes=of_classes, name=f"{prefix}y")
    return Rows(inputs, targets)


def _with_weights(model: Model, data: Rows, sample_weight: object, class_weight: object) -> Rows:
    """Return the rows with their weights; those that weigh nothing are left out."""
    weights = weights_of_rows(sample_weight, class_weight, data.y, model.layer_sizes[-1], model.flat.dtype)
    if weights is None:
        return data
    weighted = Rows(data.x, data.y, weights)
    return weighted if weights.all() else weighted.take(weights > 0)


def _checked_validation(model: Model, validation: object) -> tuple[Rows | None, float | None]:
    """Return the rows of a pair, or the fraction that is to be drawn."""
    if validation is None:
        return None, None
    if isinstance(validation, tuple | list) and len(validation) == 2:
        return _checked_rows(model, validation[0], validation[1], "validation "), None
    if isinstance(validation, float):
        return None, check_number(validation, "validation", above=0, below=1)
    raise TypeError(
        f"validation must be a pair (x, y), or a fraction of the rows such as 0.1, got {type(validation).__name__}"
    )


def _checked_callbacks(callbacks: object) -> Sequence[Callable[..., object]]:
    if not isinstance(callbacks, Sequence) or not all(callable(callback) for callback in callbacks):
        raise TypeError(f"callbacks must be a sequence of functions (net, history), got {callbacks!r}")
    return callbacks


def _decisive(
    model: Model, plan: TrainingPlan, data: Rows, apart: Rows | None, fraction: float | None
) -> dict[str, str]:
    """Return what must be the same for a resumed training to end in the same bits."""
    from mlp_ref.checkpoints import checksum

    return {
        "layer_sizes": repr(list(model.layer_sizes)),
        "hidden": model.hidden,
        "loss": model.loss,
        "dtype": str(model.flat.dtype),
        **plan.settings(),
        "checksum of x, y and their weights": checksum(*data),
        "checksum of validation": checksum(*apart) if apart else repr(fraction),
    }
