import numpy as np

from mlp_ref import History
from mlp_ref.model_and_rows import Model
from mlp_ref.stopping import EarlyStopping
from mlp_ref.training_course import Course
from mlp_ref.training_plan import checked_training_plan


def new_course(**settings):
    usual = {
        "epochs": 9,
        "batch_size": 1,
        "learning_rate": 0.5,
        "optimiser": "sgd",
        "shuffle": True,
        "l2": 0.0,
    }
    model = Model(np.zeros(4), (1, 2), "relu", "cross_entropy")
    plan = checked_training_plan(np.dtype(float), model.loss, validates=False, **usual, **settings)
    return model, Course(model, plan, 3)


def test_the_best_parameters_come_back_at_the_end():
    model, course = new_course(schedule="constant", stopping=EarlyStopping("loss", patience=1))
    for loss in (3.0, 1.0, 2.0, 2.5):
        model.flat[:] = loss
        course.end_epoch(loss, 0.0, 0.5)
    assert course.history.stopped_by == "early stopping"
    assert course.history.best_epoch == 2
    course.finish()
    np.testing.assert_array_equal(model.flat, np.full(4, 1.0), strict=True)


def test_a_resumed_course_is_where_the_other_one_was():
    losses = [3.0, 2.0, 2.0, 2.0, 2.0]
    options = {"schedule": "adaptive", "stopping": EarlyStopping("loss", patience=1)}
    _, one = new_course(**options)
    for loss in losses:
        one.end_epoch(loss, 0.0, one.rate())
    _, other = new_course(**options)
    other.resume(History(**vars(one.history)), np.ones(4))
    assert other.rate() == one.rate() == 0.1
    assert (other.watch.best, other.watch.waited) == (one.watch.best, one.watch.waited)
