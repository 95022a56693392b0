import copy
import gc
import pickle
import threading

import numpy as np
import pytest

from mlp_ref.params import as_layers
from mlp_ref.pool import MOST, RECYCLED, Pool

F32 = np.dtype(np.float32)
SIZES = (3, 4, 2)
LARGE = RECYCLED // F32.itemsize


def test_a_workspace_comes_back_to_a_call_of_its_batch_layers_and_dtype_alone():
    pool = Pool()
    workspace = pool.take(SIZES, 5, F32)
    pool.put(workspace)
    for sizes, batch, dtype in ((SIZES, 6, F32), ((3, 5, 2), 5, F32), (SIZES, 5, np.dtype(np.float64))):
        other = pool.take(sizes, batch, dtype)
        assert other is not workspace
        assert (other.layer_sizes, other.batch, other.dtype) == (sizes, batch, dtype)
    assert pool.take(SIZES, 5, F32) is workspace
    assert pool.take(SIZES, 5, F32) is not workspace


def test_only_the_workspaces_that_were_used_last_are_kept():
    pool = Pool()
    given = []
    for batch in range(1, MOST + 3):
        given.append(pool.take(SIZES, batch, F32))
        pool.put(given[-1])
    assert [pool.take(SIZES, batch, F32) in given for batch in range(1, MOST + 3)] == [False] * 2 + [
        True
    ] * MOST


def test_a_workspace_that_is_kept_holds_no_gradient():
    pool = Pool()
    workspace = pool.take(SIZES, 5, F32)
    flat = pool.vector(workspace.parameter_count, F32)
    workspace.put_gradient_in(flat)
    pool.put(workspace)
    assert not np.shares_memory(workspace.flat_grads, flat)
    assert workspace.grads == []


def address(array):
    return array.__array_interface__["data"][0]


def test_the_memory_of_a_large_vector_is_used_again_when_nobody_holds_it():
    pool = Pool()
    first = pool.vector(LARGE, F32)
    place = address(first)
    del first
    assert address(pool.vector(LARGE, F32)) == place
    assert address(pool.vector(LARGE + 1, F32)) != place


@pytest.mark.parametrize(
    "hold",
    [
        lambda flat: flat,
        lambda flat: flat[5:][::2],
        lambda flat: as_layers(flat[:26], (3, 4, 2)),
        lambda flat: as_layers(flat[:26], (3, 4, 2))[1].bias[1:].T,
        lambda flat: memoryview(flat),
        lambda flat: np.frombuffer(flat, np.uint8)[1:],
        lambda flat: iter(flat),
        lambda flat: [flat.reshape(2, -1).ravel()],
    ],
    ids=["vector", "strided", "layers", "slice", "memoryview", "buffer", "iterator", "list"],
)
def test_memory_that_anybody_holds_is_never_used_again(hold):
    pool = Pool()
    flat = pool.vector(LARGE, F32)
    place = address(flat)
    held = hold(flat)
    del flat
    gc.collect()
    others = [pool.vector(LARGE, F32) for _ in range(3)]
    assert place not in [address(other) for other in others]
    del held
    gc.collect()
    assert address(pool.vector(LARGE, F32)) == place


def test_one_gradient_s_memory_is_kept_at_most():
    pool = Pool()
    many = [pool.vector(LARGE, F32) for _ in range(5)]
    assert len({address(vector) for vector in many}) == 5
    many.clear()
    assert len(pool._memory) == 1


def test_a_vector_outlives_its_pool():
    pool = Pool()
    vector = pool.vector(LARGE, F32)
    del pool
    gc.collect()
    vector[:] = 7
    assert (vector == 7).all()


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda pool: pickle.loads(pickle.dumps(pool))]
)
def test_a_duplicate_is_an_empty_pool(duplicate):
    pool = Pool()
    workspace = pool.take(SIZES, 5, F32)
    pool.put(workspace)
    twin = duplicate(pool)
    assert twin.take(SIZES, 5, F32) is not workspace
    assert pool.take(SIZES, 5, F32) is workspace


def test_threads_never_have_the_same_workspace_at_once():
    pool, in_use, clashes = Pool(), set(), []

    def work():
        for _ in range(2000):
            workspace = pool.take(SIZES, 5, F32)
            if workspace in in_use:
                clashes.append(workspace)
            in_use.add(workspace)
            in_use.discard(workspace)
            pool.put(workspace)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes
    assert len(pool._workspaces) <= MOST
