"""adapt(): name where things are, and a network can be judged as it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from verify.case.case import FORMATS
from verify.reference.truth import SpecLike
from verify.subject.adapt import inference
from verify.subject.adapt.adapted_network import AdaptedNetwork
from verify.subject.adapt.description import Description
from verify.subject.adapt.reading import BIASES, LABELS, ORIENTATIONS, SAMPLES
from verify.subject.adapt.slots import Path
from verify.subject.target import Target


class Adapter(Description):
    """A description that becomes a Target once its spec is known: see `adapt`, which makes it."""

    def target(self, spec: SpecLike | None = None) -> Target:
        """The Target for a spec, with what was not said inferred."""
        plain = Target(self._unread, spec=self.spec)
        inferred = inference.infer_reading(self, plain.judged_as(spec))
        bound = AdaptedNetwork(inferred.described, inferred.reading, self.sums(plain.judged_as(spec)))
        gradient = bound.gradient if self.fresh else bound.session()
        return Target(
            gradient,
            bound.loss if self.loss else None,
            name="gradient",
            source="# with gradient as you adapted it",
            forward=bound.forward if self.forward else None,
            session=bound.session if self.fresh else None,
            spec=self.spec,
            biases=inferred.reading.bias != "none",
            layers=self.layers,
            labels=inferred.reading.labels,
            dtypes=self.dtypes or inferred.dtypes,
            notes=inferred.notes,
        )

    def _unread(self, *_: Any) -> Any:
        raise TypeError("an adapter is not called itself: verify.check(adapter) does it")


def adapt(
    call: Callable[..., Any] | None = None,
    *,
    make: Callable[[list[int]], Any] = lambda _: {},
    weights: Path = "weights",
    biases: Path | None = "biases",
    gradients: tuple[Path, ...] | None = None,
    update: Callable[..., Any] | None = None,
    learning_rates: Sequence[float] = (1024.0, 1.0),
    loss: Callable[..., Any] | None = None,
    forward: Callable[..., Any] | None = None,
    orientation: str | None = None,
    bias: str | None = None,
    samples: str | None = None,
    labels: str | None = None,
    reduce: str | None = None,
    fresh: bool = True,
    layers: int | None = None,
    dtypes: Sequence[str] | None = None,
    spec: SpecLike | None = None,
) -> Adapter:
    """Make a network of any conventions into something that `verify.check` judges.

    Parameters
    ----------
    call
        ``call(network, x, y)`` runs forward and backward. It returns the gradients (pairs, two lists, a flat list,
        in either order: the shapes tell), or whatever ``gradients`` leads to, or nothing where they are stored.
    make
        ``make(layer_sizes)`` returns a new network. Not given: an empty dictionary, for functions that take one.
    weights, biases
        Where the network keeps them: ``"weights"`` (a list), ``"W{}"`` (counted; ``"W{0}"`` from 0), ``"layers[].W"``
        (in each layer object that has it), ``"params.W{}"`` (inside something), or a function of the network that
        returns the arrays. ``biases=None``: there are none, or they are folded into the weights.
    gradients
        Where to find those of the weights and those of the biases (the latter left out with ``biases=None``), by
        the same names: in what the call returned, or in the network where it returned nothing.
    update
        Instead of ``call``: ``update(network, x, y, learning_rate)`` makes one step of gradient descent. The
        gradient is recovered from the parameters, and the bound widened by what the recovery rounds.
    learning_rates
        The rate that the gradient is recovered at, and another at which it must be the same. Larger ones hide less.
    loss, forward
        ``loss(network, x, y)`` and ``forward(network, x)`` (the outputs), judged too where given.
    orientation, bias, samples, labels
        ``in_out`` or ``out_in``; ``flat``, ``row``, ``column``, ``none``, ``folded_first`` or ``folded_last``;
        ``rows``, ``columns``, ``single`` (n,), ``single_column`` (n, 1) or ``single_row`` (1, n); ``rows`` or
        ``integer``. What is not given is inferred from a network of unequal widths, and the report says so.
    reduce
        How samples taken singly make a batch: ``mean`` or ``sum``. Not given: as the reduction of the spec.
    fresh
        Whether every call has a new network; if not, one serves for all calls of the same layer sizes.
    layers
        The only number of layers that the network can have.
    dtypes
        What it computes in, where not both of ``float64`` and ``float32``.
    spec
        What it is the gradient of, so that it need not be said again.

    Returns
    -------
    Adapter
        For `verify.check`, the command line, and the pytest plugin.

    Raises
    ------
    TypeError, ValueError
        When the arguments do not go together or a name is unknown.
    """
    if (call is None) == (update is None):
        raise TypeError(
            "adapt needs one of call(network, x, y) and update(network, x, y, learning_rate); got "
            f"{'neither' if call is None else 'both'}"
        )
    for name, function in (
        ("call", call),
        ("update", update),
        ("make", make),
        ("loss", loss),
        ("forward", forward),
    ):
        if function is not None and not callable(function):
            raise TypeError(f"{name} must be a function; got {type(function).__name__}")
    said = {"orientation": orientation, "bias": bias, "samples": samples, "labels": labels}
    for (name, value), known in zip(said.items(), (ORIENTATIONS, BIASES, SAMPLES, LABELS), strict=True):
        if value is not None and value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}; got {value!r}")
    apart = bias in ("flat", "row", "column")
    if bias is not None and apart == (biases is None):
        needed = "where they are" if apart else "None, as there are none of their own"
        raise ValueError(f"bias={bias!r} needs biases to be {needed}; got biases={biases!r}")
    if gradients is not None and (isinstance(gradients, str) or len(gradients) != 1 + (biases is not None)):
        wanted = "(weights', biases')" if biases is not None else "(weights',)"
        raise ValueError(f"gradients must be a tuple of places, {wanted}; got {gradients!r}")
    if reduce not in (None, "mean", "sum"):
        raise ValueError(f"reduce must be 'mean' or 'sum'; got {reduce!r}")
    rates = tuple(float(rate) for rate in learning_rates)
    if not rates or len(rates) > 2 or not all(0 < rate < float("inf") for rate in rates):
        raise ValueError(f"learning_rates must be one or two positive numbers; got {learning_rates!r}")
    if dtypes is not None and (
        isinstance(dtypes, str) or not dtypes or any(d not in FORMATS for d in dtypes)
    ):
        raise ValueError(f"dtypes must be a non-empty list from {', '.join(FORMATS)}; got {dtypes!r}")
    return Adapter(
        call=call,
        make=make,
        weights=weights,
        biases=biases,
        gradients=tuple(gradients) if gradients is not None else None,
        update=update,
        learning_rates=rates,
        loss=loss,
        forward=forward,
        fresh=fresh,
        layers=layers,
        dtypes=tuple(dtypes) if dtypes is not None else None,
        spec=spec,
        said={name: value for name, value in said.items() if value is not None},
        reduce=reduce,
    )
