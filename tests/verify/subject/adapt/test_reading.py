import itertools

import pytest

import verify
from verify.subject.adapt.reading import BIASES, ORIENTATIONS, SAMPLES

from .conventional import Network

PLACES = {
    "lists": ("Ws", "bs", ("dWs", "dbs")),
    "layers": ("layers[].W", "layers[].b", ("layers[].dW", "layers[].db")),
    "dictionary": ("params.W{}", "params.b{}", ("params.dW{}", "params.db{}")),
    "attributes": ("W{}", "b{}", ("dW{}", "db{}")),
}
APART = ("pairs", "two_lists", "biases_first", "flat", "backwards", "stored", "step")
ALONE = ("weights_alone", "stored", "step")


def combinations():
    """Every orientation with every kind of bias and of samples; the other conventions take turns."""
    turns = {name: itertools.cycle(PLACES) for name in (*APART, *ALONE)}
    apart, alone = itertools.cycle(APART), itertools.cycle(ALONE)
    rest = itertools.cycle(itertools.product((True, False), ("rows", "integer")))
    for orientation, bias, samples in itertools.product(ORIENTATIONS, BIASES, SAMPLES):
        handing = next(apart if bias in ("flat", "row", "column") else alone)
        yield orientation, bias, samples, next(turns[handing]), handing, *next(rest)


COMBINATIONS = list(combinations())


def adapted(orientation, bias, samples, container, handing, mean, labels):
    weights, biases, gradients = PLACES[container]
    has_biases = bias in ("flat", "row", "column")
    return verify.adapt(
        getattr(Network, handing) if handing != "step" else None,
        update=Network.step if handing == "step" else None,
        make=lambda sizes: Network(sizes, orientation, bias, samples, labels, container, mean),
        weights=weights,
        biases=biases if has_biases else None,
        gradients=(gradients if has_biases else gradients[:1]) if handing == "stored" else None,
        samples=samples if samples in ("single_row", "single_column") else None,
        forward=lambda network, x: network.forward(x)[-1],
        spec=verify.Spec(reduction="mean" if mean else "sum"),
    )


def test_there_are_many_combinations():
    assert len(set(COMBINATIONS)) == len(ORIENTATIONS) * len(BIASES) * len(SAMPLES) == 60
    assert {combination[3] for combination in COMBINATIONS} == set(PLACES)
    assert {combination[4] for combination in COMBINATIONS} == {*APART, *ALONE}


@pytest.mark.parametrize("combination", COMBINATIONS, ids=lambda c: "-".join(map(str, c)))
def test_a_right_network_of_any_conventions_is_verified(combination):
    orientation, bias, samples, *_, labels = combination
    gradient = adapted(*combination)
    report = verify.check(gradient, cases=25, regimes=REGIMES, xla=0, certified=0)
    assert report.ok, str(report)
    said = " ".join(report.notes)
    assert ORIENTATIONS[orientation] in said
    assert BIASES[bias] in said
    assert SAMPLES[samples] in said or samples in ("single_row", "single_column")  # not inferred: see below
    assert f"targets as {'rows' if labels == 'rows' else 'integers'}" in said


# A textbook's formulas, as they stand in the network, are meant for ordinary numbers.
REGIMES = (
    "ordinary",
    "batch_1",
    "width_1",
    "no_hidden",
    "soft_labels",
    "missing_class",
    "tiny",
    "deep",
    "wide",
)
