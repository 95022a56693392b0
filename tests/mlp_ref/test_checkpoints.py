import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mlp_ref import MLP
from mlp_ref.checkpoints import checksum
from mlp_ref.optimisers import SGD, Adam
from mlp_ref.schedules import Cosine
from mlp_ref.stopping import EarlyStopping

WAYS = {
    "sgd": {},
    "nesterov": {"optimiser": lambda: SGD(0.9, nesterov=True), "schedule": "inverse_scaling"},
    "adam": {"optimiser": lambda: Adam(), "schedule": Cosine(0.1), "learning_rate": 0.01},
    "best": {"validation": 0.25, "stopping": EarlyStopping(patience=3, tolerance=0.0), "learning_rate": 1.0},
    "adaptive": {
        "schedule": "adaptive",
        "stopping": EarlyStopping("loss", patience=1, tolerance=1e-2),
        "learning_rate": 1.0,
    },
}


def problem():
    rng = np.random.default_rng(1)
    return rng.normal(size=(40, 6)), rng.integers(0, 3, 40)


def train(way, epochs=12, **options):
    net = MLP([6, 9, 3], dtype=np.float64, seed=4)
    settings = {**WAYS[way], **options}
    if callable(settings.get("optimiser")):
        settings["optimiser"] = settings["optimiser"]()
    return net, net.fit(*problem(), epochs=epochs, batch_size=7, **settings)


class Killed(BaseException):
    """Ends a training at once, as a signal would; nothing in the package catches it."""


def killed_after(epochs):
    def callback(_, history):
        if len(history.loss) > epochs:
            raise Killed

    return callback


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("killed", "every"), [(1, 1), (5, 1), (5, 2), (0, 1)])
def test_a_training_that_ends_anywhere_goes_on_with_the_same_bits(way, killed, every, tmp_path):
    net, history = train(way)
    with pytest.raises(Killed):
        train(way, checkpoint=tmp_path, checkpoint_every=every, callbacks=[killed_after(killed)])
    seen = []
    options = {"checkpoint": tmp_path, "checkpoint_every": every, "resume": True}
    resumed, whole = train(way, **options, callbacks=[lambda _, history: seen.append(len(history.loss))])
    np.testing.assert_array_equal(resumed.flat, net.flat, strict=True)
    assert whole == history
    assert resumed._rng.bit_generator.state == net._rng.bit_generator.state
    assert seen == list(range(killed // every * every + 1, len(history.loss) + 1))


def test_a_finished_training_is_not_trained_again(tmp_path):
    net, history = train("best", epochs=100, checkpoint=tmp_path)
    assert history.stopped_by == "early stopping"
    resumed, again = train("best", epochs=100, checkpoint=tmp_path, resume=True, callbacks=[killed_after(0)])
    np.testing.assert_array_equal(resumed.flat, net.flat, strict=True)
    assert again == history


def test_more_epochs_may_follow(tmp_path):
    net, history = train("nesterov", epochs=9)
    train("nesterov", epochs=4, checkpoint=tmp_path)
    longer, whole = train("nesterov", epochs=9, checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(longer.flat, net.flat, strict=True)
    assert whole == history


def test_a_process_that_is_killed_leaves_a_checkpoint_to_go_on_from(tmp_path):
    if os.name == "nt":
        pytest.skip("Windows has no SIGKILL")
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_checkpoints import train
def say(_, history):
    print(len(history.loss), flush=True)
train("adam", 100_000, checkpoint={str(tmp_path)!r}, schedule="constant", callbacks=[say])
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line == "30\n":
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    (tmp_path / ".checkpoint.npz.0000.part").write_bytes(
        b"what a process killed in the middle of writing leaves"
    )
    reached = []
    resumed, history = train(
        "adam", 100_000, checkpoint=tmp_path, resume=True, schedule="constant",
        callbacks=[lambda _, history: reached.append(len(history.loss)) or len(history.loss) >= 200],
    )  # fmt: skip
    assert 29 < reached[0] < 200
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
    net, whole = train("adam", 200, schedule="constant")
    np.testing.assert_array_equal(resumed.flat, net.flat, strict=True)
    assert history.loss == whole.loss


def test_resume_begins_where_there_is_no_checkpoint(tmp_path):
    net, history = train("sgd")
    other, same = train("sgd", checkpoint=tmp_path / "new" / "place", resume=True)
    np.testing.assert_array_equal(other.flat, net.flat, strict=True)
    assert same == history
    assert (tmp_path / "new" / "place" / "checkpoint.npz").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.5}, "learning_rate was 0.01 then, and is 0.5 now"),
        ({"schedule": "cosine"}, "schedule was Constant"),
        ({"optimiser": SGD(0.5)}, r"optimiser was SGD\(momentum=0.0, .* and is SGD\(momentum=0.5"),
        ({"shuffle": False}, "shuffle was True then, and is False now"),
        ({"validation": 0.5}, "validation was None then, and is 0.5 now"),
    ],
)
def test_the_checkpoint_of_another_training_is_refused(change, message, tmp_path):
    train("sgd", checkpoint=tmp_path)
    before = (tmp_path / "checkpoint.npz").read_bytes()
    with pytest.raises(ValueError, match=f"is the checkpoint of another training: .*{message}"):
        train("sgd", checkpoint=tmp_path, resume=True, **change)
    assert (tmp_path / "checkpoint.npz").read_bytes() == before


def test_other_rows_are_refused(tmp_path):
    train("sgd", checkpoint=tmp_path)
    x, y = problem()
    x[3, 3] += 1
    net = MLP([6, 9, 3], dtype=np.float64, seed=4)
    before = net.flat.copy()
    with pytest.raises(ValueError, match="checksum of x, y and their weights was"):
        net.fit(x, y, epochs=12, batch_size=7, checkpoint=tmp_path, resume=True)
    np.testing.assert_array_equal(net.flat, before)


def test_a_directory_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "state"
    with pytest.raises(
        OSError, match=f"^checkpoint: the directory '{place}' cannot be made: Not a directory$"
    ):
        train("sgd", checkpoint=place)


def test_a_checkpoint_is_not_overwritten_unasked(tmp_path):
    train("sgd", checkpoint=tmp_path)
    with pytest.raises(FileExistsError, match="is the checkpoint of a training: go on with resume"):
        train("sgd", checkpoint=tmp_path)


@pytest.mark.parametrize("content", [b"nonsense", b""])
def test_a_damaged_checkpoint_is_refused(content, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(ValueError, match="is not a checkpoint of mlp_ref, or is cut short"):
        train("sgd", checkpoint=tmp_path, resume=True)


def test_a_saved_network_is_no_checkpoint_and_the_other_way_round(tmp_path):
    MLP([2, 2], seed=0).save(tmp_path / "checkpoint.npz")
    with pytest.raises(ValueError, match="is not a checkpoint of mlp_ref: its format is 'mlp_ref network'"):
        train("sgd", checkpoint=tmp_path, resume=True)
    (tmp_path / "checkpoint.npz").unlink()
    train("sgd", checkpoint=tmp_path)
    with pytest.raises(
        ValueError, match="is not a network saved by mlp_ref: its format is 'mlp_ref checkpoint'"
    ):
        MLP.load(tmp_path / "checkpoint.npz")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"resume": True},
            ValueError,
            "resume=True needs checkpoint, the directory of the training to go on with, got none",
        ),
        ({"checkpoint": 3}, TypeError, "checkpoint must be the path of a directory, got 3"),
        (
            {"checkpoint": "x", "checkpoint_every": 0},
            ValueError,
            "checkpoint_every must be a positive integer",
        ),
        ({"checkpoint": __file__}, NotADirectoryError, "checkpoint must be a directory, but .* is a file"),
        (
            {"checkpoint": "x", "optimiser": "lbfgs"},
            ValueError,
            "checkpoint needs the optimiser sgd or adam, got lbfgs",
        ),
    ],
)
def test_bad_arguments_are_named(options, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        train("sgd", **options)
    assert not list(tmp_path.iterdir())


def test_a_checksum_tells_shapes_dtypes_and_numbers_apart():
    arrays = [np.zeros(4), np.zeros((2, 2)), np.zeros(4, int), np.zeros(8, np.float32), np.eye(2)]
    assert len({checksum(array) for array in arrays}) == len(arrays)
    assert checksum(np.eye(3).T) == checksum(np.eye(3))
