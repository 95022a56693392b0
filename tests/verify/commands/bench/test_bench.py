"""The benchmark measures what it says, and refuses to time what is wrong. No test asks how fast anything is."""

import re
from dataclasses import replace

import numpy as np
import pytest

from verify.commands.bench import cells, machine, peers
from verify.commands.bench.cells import Cell
from verify.commands.bench.crew import CrewMemberFailed, crew, crew_cores, crew_environment
from verify.commands.bench.measure import Effort, MeasuredSpread, geometric_mean, measured_ratios, take_turns
from verify.commands.bench.peer_worker import PeerWorker
from verify.commands.bench.peers import EPOCHS, GRADIENTS, OURS, PREDICTIONS, manual
from verify.commands.bench.peers.peer import Peer, PeerUnsupported
from verify.commands.bench.rows import measure_row
from verify.commands.bench.scale import scale_exponent, scale_size
from verify.commands.bench.task import Task
from verify.commands.bench.true_results import BOUNDED, SCALED, TrueClasses, true_result_of

SMALL = Cell((5, 4, 3), 6)
WIDE = Cell((300, 40, 3), 6)

# JAX's own functions set JAX's global configuration, so they run in their own processes, as in the benchmark.
HERE = [name for name, peer in GRADIENTS.items() if peer.library != "jax"]
PREDICTIONS_HERE = [name for name, peer in PREDICTIONS.items() if peer.library != "jax"]
PARTS = ["gradients", "rows"]
EPOCHS_HERE = [name for name, peer in EPOCHS.items() if peer.library != "jax" and name not in PARTS]


def result_of(peer: Peer, task: Task):
    for library in peer.library.split():
        pytest.importorskip(library)
    found = peer.prepare(task)()
    if found is None:
        return None
    loss, layers = found
    return float(loss), [np.asarray(tensor) for layer in layers for tensor in layer]


# --- cells


@pytest.mark.parametrize("text", ["784-16-16-10@32", "16-16-16@8", "10x256@256", "3-3@1", "4-4-4-4@2"])
def test_a_cell_is_named_as_it_is_written(text):
    assert str(Cell.parse(text)) == text


def test_repeated_sizes_may_be_counted():
    assert Cell.parse("4x7@2") == Cell.parse("7-7-7-7@2")


@pytest.mark.parametrize(
    "text", ["", "784", "784@32", "784-10", "784-0-10@32", "784-10@0", "1x5@3", "a-b@c", "3-3@2 "]
)
def test_another_form_is_refused_with_an_example(text):
    with pytest.raises(
        ValueError, match="a cell must be layer sizes @ batch, such as 784-16-16-10@32"
    ) as error:
        Cell.parse(text)
    assert repr(text) in str(error.value)


def test_the_grid_has_what_it_must_have():
    names = {str(cell) for cell in cells.GRID}
    assert len(names) == len(cells.GRID) >= 12
    assert names >= {
        "16-16-16@8",
        "784-16-16-10@1",
        "784-16-16-10@32",
        "784-128-10@128",
        "10x256@256",
        "2048-2048-2048-1000@1024",
    }


def test_both_dtypes_start_from_the_same_numbers():
    narrow, wide = SMALL.arrays("float32"), SMALL.arrays("float64")
    assert narrow.x.dtype == np.float32
    assert wide.x.dtype == np.float64
    for one, other in zip([*narrow.params, narrow.x, narrow.y], [*wide.params, wide.x, wide.y], strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(np.asarray(a, np.float64), np.asarray(b, np.float64), strict=True)
    assert all(layer.bias.all() for layer in narrow.params)


def test_multiplications_leave_out_the_gradient_of_the_inputs():
    assert Cell((5, 4, 3), 6).multiplications == 6 * (3 * (20 + 12) - 20)


# --- what is right


@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
def test_every_peer_computes_the_gradient(name, dtype, hidden):
    task = Task("gradient", SMALL, dtype, hidden)
    result = result_of(GRADIENTS[name], task)
    if result is None:
        assert name in peers.PRODUCTS
        return
    truth = true_result_of(task)
    assert truth.method == BOUNDED
    assert truth.fault(*result, dtype) is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_batch_in_pieces_has_the_same_gradient_within_the_bound(dtype, monkeypatch):
    monkeypatch.setattr("mlp_ref.workspace.ROWS_AT_ONCE", 4)
    task = Task("gradient", SMALL, dtype)
    assert true_result_of(task).fault(*result_of(GRADIENTS["mlp_ref_call"], task), dtype) is None


@pytest.mark.parametrize("name", PREDICTIONS_HERE)
@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu", "identity"])
def test_every_peer_predicts_the_same_classes(name, hidden):
    task = Task("prediction", Cell((5, 4, 3), 40), hidden=hidden)
    truth = true_result_of(task)
    assert len(set(truth.logits.argmax(axis=1))) > 1
    assert truth.fault(*result_of(PREDICTIONS[name], task), "float32") is None


def test_jax_s_predictions_are_right_too():
    task = Task("prediction", Cell((5, 4, 3), 40))
    names = ["jax_jit", "jax_numpy"]
    with crew("prediction", names, threads=1) as members:
        for name in names:
            members[name].ask("prepare", task)
            assert true_result_of(task).fault(*members[name].ask("result"), "float32") is None


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            lambda classes: np.append(classes[:-1], (classes[-1] + 1) % 3),
            r"class of row 39: expected \d, got \d",
        ),
        (lambda classes: classes[:-1], r"classes: expected 40 integers, got \(39,\)"),
        (lambda classes: classes.astype(float), "classes: expected 40 integers, got .* float64"),
        (lambda classes: classes + 3, "classes: expected 0 to 2, got 3 to"),
    ],
)
def test_wrong_classes_are_named(change, fault):
    truth = true_result_of(Task("prediction", Cell((5, 4, 3), 40)))
    assert re.search(fault, truth.fault(0.0, [change(truth.logits.argmax(axis=1))], "float32") or "nothing")


def test_a_class_may_be_any_whose_logit_is_the_largest_but_for_rounding():
    truth = TrueClasses(np.array([[1.0, 1.0 - 1e-5, 0.9]]))
    assert truth.fault(0.0, [np.array([1])], "float32") is None
    assert truth.fault(0.0, [np.array([1])], "float64") is not None
    assert truth.fault(0.0, [np.array([2])], "float32") is not None


@pytest.mark.parametrize("name", EPOCHS_HERE)
def test_every_peer_takes_the_step(name):
    task = Task("epoch", SMALL, rows=SMALL.batch, learning_rate=0.1)
    assert true_result_of(task).fault(*result_of(EPOCHS[name], task), "float32") is None


@pytest.mark.parametrize("name", EPOCHS_HERE)
def test_an_epoch_takes_a_step_for_each_batch_and_the_last_may_be_smaller(name):
    """Seven rows in batches of six, at a rate that moves nothing: the mean loss is that of the seven."""
    task = Task("epoch", SMALL, rows=7, learning_rate=1e-30)
    loss, _ = result_of(EPOCHS[name], task)
    whole = true_result_of(Task("gradient", replace(SMALL, batch=7)))
    assert loss == pytest.approx(whole.loss, rel=1e-5)


@pytest.mark.parametrize("name", PARTS)
def test_the_parts_of_an_epoch_have_no_result(name):
    assert result_of(EPOCHS[name], Task("epoch", SMALL, rows=20)) is None


def test_an_epoch_s_gradients_are_as_many_as_its_whole_batches(monkeypatch):
    calls = []
    monkeypatch.setattr(manual, "loss_and_gradient", lambda _, x, *rest, **more: calls.append(len(x)))
    result_of(EPOCHS["gradients"], Task("epoch", SMALL, rows=20))
    assert calls == [6] * 3


@pytest.mark.parametrize(("cell", "method"), [(SMALL, BOUNDED), (WIDE, SCALED)])
@pytest.mark.parametrize("kind", ["gradient", "epoch"])
def test_a_result_that_is_slightly_wrong_is_named(cell, method, kind):
    task = Task(kind, cell, "float32", rows=cell.batch if kind == "epoch" else None, learning_rate=0.1)
    truth = true_result_of(task)
    assert truth.method == method
    right = [tensor.astype(np.float32) for tensor in truth.tensors]
    assert truth.fault(truth.loss, right, "float32") is None

    gradients = true_result_of(replace(task, kind="gradient")).tensors
    step = -0.1 if kind == "epoch" else 1.0
    wrong = [tensor.copy() for tensor in right]
    place = np.unravel_index(np.argmax(abs(gradients[2])), gradients[2].shape)
    wrong[2][place] += step * gradients[2][place] * 1e-3
    fault = truth.fault(truth.loss, wrong, "float32")
    assert fault is not None
    assert fault.startswith(f"weight of layer 2{[int(i) for i in place]}: expected ")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda tensors: tensors[:-1], "expected 4 tensors, got 3"),
        (
            lambda tensors: [tensors[0].T, *tensors[1:]],
            r"weight of layer 1: expected \(5, 4\) float32, got \(4, 5\)",
        ),
        (lambda tensors: [t.astype(np.float64) for t in tensors], "expected .* float32, got .* float64"),
        (
            lambda tensors: [np.full_like(tensors[0], np.nan), *tensors[1:]],
            r"weight of layer 1\[0, 0\]: .* got nan",
        ),
    ],
)
def test_what_is_no_gradient_of_this_network_is_named(change, fault):
    truth = true_result_of(Task("gradient", SMALL))
    right = [tensor.astype(np.float32) for tensor in truth.tensors]
    assert re.search(fault, truth.fault(truth.loss, change(right), "float32") or "nothing")


def test_a_wrong_loss_is_named():
    truth = true_result_of(Task("gradient", SMALL))
    right = [tensor.astype(np.float32) for tensor in truth.tensors]
    assert "loss: expected" in (truth.fault(truth.loss * 1.001, right, "float32") or "")


# --- processes


def test_a_worker_does_its_task_and_says_what_went_wrong():
    with crew("gradient", ["workspace"], threads=1) as members:
        member = members["workspace"]
        with pytest.raises(CrewMemberFailed, match="no task has been prepared"):
            member.ask("result")
        task = Task("gradient", SMALL)
        member.ask("prepare", task)
        assert true_result_of(task).fault(*member.ask("result"), "float32") is None
        assert member.ask("seconds", 3, 2, 1) > 0
        assert member.ask("allocated", 1) >= 0
        member.ask("drop")
        member.ask("prepare", replace(task, hidden="unknown"))
        with pytest.raises(CrewMemberFailed, match="unknown"):
            member.ask("result")


def test_a_warm_gradient_allocates_no_array():
    """What it allocates is smaller than the smallest matrix of its batch, and the same for one twice as large."""
    with crew("gradient", [OURS], threads=1) as members:
        found = []
        for batch in (4096, 8192):
            members[OURS].ask("prepare", Task("gradient", Cell((64, 48, 10), batch)))
            found.append(members[OURS].ask("allocated", 2))
    smaller, larger = found
    assert larger < smaller + 1000 < 4096 * 10 * 4


def test_what_grows_with_the_batch_is_seen_to_grow():
    class Allocates:
        def prepare(self, task):
            return lambda: np.ones((task.cell.batch, 48), np.float32)

    worker, found = PeerWorker(Allocates()), []
    for batch in (512, 1024):
        worker.prepare(Task("gradient", Cell((64, 48, 10), batch)))
        found.append(worker.allocated(2))
    assert found[1] >= found[0] + 512 * 48 * 4


def test_a_worker_that_dies_is_a_peer_that_failed_and_starts_anew():
    with crew("gradient", [OURS], threads=1) as members:
        member = members[OURS]
        member.ask("prepare", Task("gradient", SMALL))
        assert member._process is not None
        member._process.kill()
        with pytest.raises(CrewMemberFailed, match="its process ended with status -9"):
            member.ask("result")
        member.ask("prepare", Task("gradient", SMALL))
        assert member.ask("result") is not None


def test_threads_are_limited_in_every_library():
    limits = crew_environment(2)
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
    assert {limits[name] for name in names} == {"2"}
    assert "intra_op_parallelism_threads=2" in limits["XLA_FLAGS"]


def test_nobody_inherits_the_kernels_of_another_processor(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    assert "OPENBLAS_CORETYPE" not in crew_environment(1)
    pytest.importorskip("threadpoolctl")
    with crew("gradient", [OURS], threads=1) as members:
        kernels = members[OURS].ask("kernels")
    assert kernels
    assert not any("Nehalem" in kernel for kernel in kernels)


@pytest.mark.parametrize(
    ("kernel", "avx512", "below"),
    [
        ("openblas Haswell, numpy's", True, True),
        ("openblas Haswell, numpy's", False, False),
        ("openblas SkylakeX, numpy's", True, False),
        ("openblas unknown, numpy's", True, False),
        ("mkl Intel, torch's", True, False),
    ],
)
def test_kernels_below_the_processor_leave_its_avx512_unused(monkeypatch, kernel, avx512, below):
    monkeypatch.setattr("mlp_ref.blas.has_avx512", lambda: avx512)
    assert machine.machine_below_processor(kernel) is below


@pytest.mark.parametrize("threads", [0, -1, 10**6])
def test_more_threads_than_cores_are_refused(threads):
    with pytest.raises(ValueError, match=rf"threads must be between 1 and \d+, .*; got {threads}"):
        crew_cores(threads)


def test_a_wrong_or_impossible_peer_is_noted_and_not_timed():
    class Fake:
        def __init__(self, name, result):
            self.name, self._result = name, result

        def ask(self, verb, *_):
            if verb == "result":
                if isinstance(self._result, Exception):
                    raise self._result
                return self._result
            return 1e-3 if verb == "seconds" else None

    task = Task("gradient", SMALL)
    truth = true_result_of(task)
    right = [tensor.astype(np.float32) for tensor in truth.tensors]
    members = {
        OURS: Fake(OURS, (truth.loss, right)),
        "torch": Fake("torch", (truth.loss, [2 * tensor for tensor in right])),
        "sklearn": Fake("sklearn", PeerUnsupported("no such network")),
        "autograd": Fake("autograd", CrewMemberFailed("autograd", "MemoryError: full")),
    }
    row = measure_row(task, truth, members, Effort(seconds=0.01), threads=1)
    assert set(row.seconds) == {OURS}
    assert row.notes["torch"].startswith("wrong: weight of layer 1[")
    assert row.notes["sklearn"] == "not possible: no such network"
    assert row.notes["autograd"] == "failed: MemoryError: full"
    assert not row.ours_is_wrong


# --- measuring


def test_in_each_round_every_peer_has_one_turn():
    log = []

    class Fake:
        def __init__(self, name, seconds):
            self.name, self.seconds = name, seconds

        def ask(self, _verb, samples, calls, untimed):
            log.append((self.name, samples, calls, untimed))
            return self.seconds

    members = {"a": Fake("a", 1e-5), "b": Fake("b", 3e-3), "c": Fake("c", 2.0)}
    taken = take_turns(members, Effort(seconds=20, fewest=3, most=8))
    assert {name: len(times) for name, times in taken.items()} == {"a": 8, "b": 8, "c": 8}
    rounds = [log[start : start + 3] for start in range(3, len(log), 3)]
    assert all({name for name, *_ in turn} == set(members) for turn in rounds)
    assert len({tuple(name for name, *_ in turn) for turn in rounds}) > 1
    assert set(log[3:]) == {("a", 10, 100, 1), ("b", 3, 1, 1), ("c", 1, 1, 0)}


def test_threads_that_were_woken_get_untimed_calls_before_they_are_timed():
    class WakesSlowly:
        def __init__(self):
            self.requests = []

        def ask(self, _verb, *request):
            self.requests.append(request)
            return 0.0625 if len(self.requests) == 1 else 0.015625

    slow = WakesSlowly()
    take_turns({"slow": slow}, Effort(seconds=0, fewest=2, turn=0.125, warm=0.25))
    assert slow.requests == [(1, 1, 1), (1, 4, 0), (8, 1, 16), (8, 1, 16)]


def test_ratios_are_formed_within_a_round():
    """A machine that slows down by half for one round changes no ratio."""
    found = measured_ratios({"ours": [1.0, 2.0, 1.0], "theirs": [3.0, 6.0, 3.0]}, "ours")
    assert found == {"theirs": MeasuredSpread(3.0, 3.0, 3.0)}


def test_a_spread_is_the_median_and_the_quartiles():
    assert MeasuredSpread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == MeasuredSpread(3.0, 2.0, 4.0)
    assert MeasuredSpread.of([7.0]) == MeasuredSpread(7.0, 7.0, 7.0)


def test_the_mean_of_ratios_is_geometric():
    assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)


def test_an_exponent_comes_from_the_larger_half():
    sizes = [1, 10, 100, 1000, 10_000]
    assert scale_exponent(sizes, [7, 7, 3e4, 3e6, 3e8]) == pytest.approx(2.0)


def test_axes_are_read_off_a_cell():
    assert [scale_size(axis, Cell((8, 8, 8), 3)) for axis in ("batch", "width", "depth")] == [3, 8, 2]
