import numpy as np
import pytest

from mlp_ref.optimisers import SGD, Adam
from mlp_ref.schedules import Cosine
from mlp_ref.stopping import EarlyStopping
from mlp_ref.training_plan import checked_training_plan

USUAL = {
    "epochs": 3,
    "batch_size": 2,
    "learning_rate": 0.1,
    "optimiser": "sgd",
    "schedule": "constant",
    "stopping": None,
    "shuffle": True,
    "l2": 0.0,
}


def settings(**changes):
    return checked_training_plan(np.dtype(float), "mse", validates=True, **{**USUAL, **changes}).settings()


def test_what_decides_the_bits_is_told_apart():
    changes = [
        {},
        {"batch_size": 3},
        {"learning_rate": 0.1 + 2**-50},
        {"optimiser": SGD(0.5)},
        {"optimiser": Adam()},
        {"optimiser": Adam(beta_2=0.999 + 2**-50)},
        {"schedule": "cosine"},
        {"schedule": Cosine(0.1)},
        {"stopping": True},
        {"stopping": EarlyStopping(patience=3)},
        {"shuffle": False},
        {"l2": 1e-5},
    ]
    assert len({str(settings(**change)) for change in changes}) == len(changes)


@pytest.mark.parametrize(
    ("schedule", "same"), [("constant", True), ("inverse_scaling", True), ("cosine", False)]
)
def test_the_number_of_epochs_decides_where_the_schedule_depends_on_it(schedule, same):
    assert (settings(schedule=schedule) == settings(schedule=schedule, epochs=9)) == same


def test_a_function_is_known_by_its_name_and_not_by_its_address():
    def halved(first, at):
        return first / 2

    assert settings(schedule=halved)["schedule"].endswith("halved")
