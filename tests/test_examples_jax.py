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
before, loss = net.flat.copy(), net.loss_and_gradient(x, y)[0]
found["train"](net, x, y, "data", 4, epochs=0, batch_size=32, learning_rate=1.0)
assert before.tobytes() == net.flat.tobytes()
for kind in ("data", "tensor"):
    found["train"](net, x, y, kind, 4, epochs=1, batch_size=32, learning_rate=1.0)
assert net.loss_and_gradient(x, y)[0] < loss / 2
net.save("net.npz")
assert mlp_ref.MLP.load("net.npz").flat.tobytes() == net.flat.tobytes()
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
