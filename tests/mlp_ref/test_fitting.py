import numpy as np
import pytest

from mlp_ref import MLP, SGD, History


def problem():
    rng = np.random.default_rng(3)
    return rng.normal(size=(20, 4)), rng.integers(0, 3, 20)


def new_net():
    return MLP([4, 5, 3], dtype=np.float64, seed=0)


def test_callbacks_see_the_network_and_the_history_after_every_epoch():
    x, y = problem()
    net, seen = new_net(), []

    def callback(network, history):
        assert network is net
        assert type(history) is History
        seen.append((len(history.loss), net.flat.copy()))

    net.fit(x, y, epochs=3, callbacks=[callback])
    twin = new_net()
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    for _, flat in seen:
        twin.fit(x, y, epochs=1)
        np.testing.assert_array_equal(flat, twin.flat, strict=True)


def test_a_callback_that_returns_true_ends_the_training_after_all_have_seen_the_epoch():
    x, y = problem()
    epochs = []
    callbacks = [
        lambda net, history: len(history.loss) == 2,
        lambda net, history: epochs.append(len(history.loss)),
    ]
    history = new_net().fit(x, y, epochs=9, callbacks=callbacks)
    assert epochs == [1, 2]
    assert history.stopped_by == "callback"
    assert len(history.loss) == 2


def test_an_error_in_a_callback_is_the_caller_s():
    def callback(net, history):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        new_net().fit(*problem(), callbacks=[callback])


def test_a_share_of_the_rows_is_held_out_of_training():
    """They are the first of a random order; a training on the others, told to validate on them, is the same."""
    x, y = problem()
    net = new_net()
    history = net.fit(x, y, epochs=2, batch_size=1, validation=0.25)
    order = new_net()._rng.permutation(20)
    twin = new_net()
    twin._rng.permutation(20)
    same = twin.fit(
        x[order[5:]], y[order[5:]], epochs=2, batch_size=1, validation=(x[order[:5]], y[order[:5]])
    )
    np.testing.assert_array_equal(net.flat, twin.flat, strict=True)
    assert same == history


def test_without_shuffling_rows_are_taken_as_they_come():
    x, y = problem()
    net, twin = new_net(), new_net()
    net.fit(x, y, epochs=1, batch_size=5, learning_rate=0.5, shuffle=False)
    for start in range(0, 20, 5):
        twin.fit(x[start : start + 5], y[start : start + 5], epochs=1, batch_size=5, learning_rate=0.5)
    np.testing.assert_allclose(net.flat, twin.flat, rtol=1e-12, strict=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"validation": 1.5}, ValueError, "validation must be a finite number, more than 0 and less than 1"),
        ({"validation": 0.99}, ValueError, "must leave a row to train on, but 0.99 of 20 rows are 20"),
        ({"callbacks": print}, TypeError, r"callbacks must be a sequence of functions \(net, history\)"),
        (
            {"callbacks": [3]},
            TypeError,
            r"callbacks must be a sequence of functions \(net, history\), got \[3\]",
        ),
        ({"optimiser": "rprop"}, ValueError, "optimiser must be one of"),
    ],
)
def test_a_refused_fit_changes_nothing(options, error, message):
    x, y = problem()
    net, twin = new_net(), new_net()
    with pytest.raises(error, match=message):
        net.fit(x, y, **options)
    np.testing.assert_array_equal(net.flat, twin.flat)
    assert net.fit(x, y, epochs=1) == twin.fit(x, y, epochs=1)


class TestPartialFit:
    @pytest.mark.parametrize("optimiser", ["sgd", "adam"])
    def test_it_is_an_epoch_and_keeps_the_optimiser_s_memory(self, optimiser):
        x, y = problem()
        net, twin = new_net(), new_net()
        losses = [net.partial_fit(x, y, optimiser=optimiser).loss[0] for _ in range(4)]
        assert twin.fit(x, y, epochs=4, optimiser=optimiser).loss == losses
        np.testing.assert_array_equal(net.flat, twin.flat, strict=True)

    def test_an_instance_keeps_its_own_memory_and_another_name_begins_anew(self):
        x, y = problem()
        net, twin = new_net(), new_net()
        optimiser = SGD(0.9)
        for _ in range(2):
            net.partial_fit(x, y, optimiser=optimiser)
        net.partial_fit(x, y, optimiser="adam")
        twin.fit(x, y, epochs=2, optimiser=SGD(0.9))
        twin.fit(x, y, epochs=1, optimiser="adam")
        np.testing.assert_array_equal(net.flat, twin.flat, strict=True)

    def test_weights_and_penalty_are_those_of_fit(self):
        x, y = problem()
        net, twin = new_net(), new_net()
        options = {
            "l2": 0.1,
            "class_weight": "balanced",
            "sample_weight": np.linspace(0, 1, 20),
            "batch_size": 6,
        }
        net.partial_fit(x, y, **options)
        twin.fit(x, y, epochs=1, **options)
        np.testing.assert_array_equal(net.flat, twin.flat, strict=True)

    def test_lbfgs_is_refused(self):
        with pytest.raises(
            ValueError, match="partial_fit needs an optimiser for mini-batches, sgd or adam, got"
        ):
            new_net().partial_fit(*problem(), optimiser="lbfgs")
