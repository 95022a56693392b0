"""The gradients of examples/jax_data_parallel.py are right on several devices, and checkpoints go both ways."""

import os
import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "jax_data_parallel.py"

SCRIPT = """
import sys
import jax, numpy as np
import mlp_ref, verify
found = verify.load(f"{sys.argv[1]}:data_parallel").gradient.__globals__
assert len(jax.devices()) == 4
for kind in ("data_parallel", "tensor_parallel"):
    report = verify.check(found[kind], cases=5, regimes=["ordinary", "deep"], xla=0, certified=0)
    assert report.ok, str(report)
net = mlp_ref.MLP([64, 16, 10], seed=0)
(x, y), _ = mlp_ref.datasets.load_digits()
loss = net.loss_and_gradient(x, y)[0]
step, steps = found["step"], []
def bits(params):
    return [np.asarray(tensor).tobytes() for layer in params for tensor in layer]
def kept(params, x, y, rate):
    before, devices = bits(params), len(params[0].weight.devices())
    result = step(params, x, y, rate)
    steps[:] = before, devices, bits(result), result[0].weight.dtype
    return result
found["step"] = kept
for dtype in (np.float32, np.float64):
    for kind in ("data", "tensor"):
        with jax.enable_x64(dtype == np.float64):
            net = mlp_ref.MLP([64, 16, 10], dtype=dtype, seed=0)
            net.save("before.npz")
            loaded = mlp_ref.MLP.load("before.npz")
            rows = x[:32].astype(dtype)
            found["train"](loaded, rows, y[:32], kind, 4, epochs=1, batch_size=32, learning_rate=1.0)
            before, devices, after, of_dtype = steps
            assert before == bits(net.params)  # saved, loaded and laid out on the devices
            assert (devices, of_dtype) == (4, dtype)
            loaded.save("after.npz")
            assert after == bits(mlp_ref.MLP.load("after.npz").params) != before
found["step"] = step
net = mlp_ref.MLP([64, 16, 10], seed=0)
for kind in ("data", "tensor"):
    found["train"](net, x, y, kind, 4, epochs=1, batch_size=32, learning_rate=1.0)
assert net.loss_and_gradient(x, y)[0] < loss / 2
try:
    found["gradient_on"]("data", 4, net.params, x[:30], np.eye(10, dtype=x.dtype)[y[:30]])
except ValueError as error:
    assert str(error) == "x must have a multiple of 4 rows, one part for each device; it has 30"
else:
    raise AssertionError("an uneven batch was taken")
print("all is well")
"""


def test_sharded_gradients_training_and_checkpoints(tmp_path):
    """In a process of its own: the number of devices is fixed once JAX has looked for them."""
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    environment.update({"JAX_NUMPY_DTYPE_PROMOTION": "strict", "JAX_NUMPY_RANK_PROMOTION": "raise"})
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(EXAMPLE)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout == "all is well\n", result.stderr
