"""The parameters of mlp_ref on many devices: a data-parallel and a tensor-parallel gradient, and training with either.

    python examples/jax_data_parallel.py --kind tensor --save net.npz
    python -m verify check examples/jax_data_parallel.py:data_parallel --cases 60
    python -m verify check examples/jax_data_parallel.py:tensor_parallel --cases 60

Without accelerators, eight virtual devices of the processor stand in for them; the code is the same. Parameters are a
list of ``Layer(weight, bias)``, which is a JAX pytree as it is: nothing is converted on the way there or back.
"""

from __future__ import annotations

import argparse
import functools
import os

# Read when JAX first looks for devices; a flag that is set already stays.
if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8"

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from mlp_ref import MLP, Layer, datasets


def loss(params, x, y):
    """The mean cross-entropy of a network with sigmoid hidden layers; y has a row for each of x."""
    *hidden, last = params
    for weight, bias in hidden:
        x = jax.nn.sigmoid(x @ weight + bias[None, :])
    logits = x @ last.weight + last.bias[None, :]
    return -jnp.sum(y * jax.nn.log_softmax(logits)) / len(x)


gradient_of_loss = jax.jit(jax.grad(loss))


@functools.partial(jax.jit, donate_argnums=0)
def step(params, x, y, learning_rate):
    """One step of gradient descent; the result lies where the parameters lay."""
    grads = jax.grad(loss)(params, x, y)
    return jax.tree.map(lambda p, g: p - learning_rate.astype(p.dtype) * g, params, grads)


def mesh(devices):
    """The first so many devices in a row."""
    return Mesh(np.array(jax.devices()[:devices]), ("devices",))


def split_rows(params, x, y, devices):
    """Every device has all parameters, and its part of the batch."""
    if len(x) % devices:
        raise ValueError(
            f"x must have a multiple of {devices} rows, one part for each device; it has {len(x)}"
        )
    everywhere = NamedSharding(mesh(devices), PartitionSpec())
    rows = NamedSharding(mesh(devices), PartitionSpec("devices", None))
    return jax.device_put(params, everywhere), jax.device_put(x, rows), jax.device_put(y, rows)


def split_units(params, x, y, devices):
    """Every device has the whole batch, and of each layer its part of the units, where these can be divided."""
    everywhere = NamedSharding(mesh(devices), PartitionSpec())
    columns = NamedSharding(mesh(devices), PartitionSpec(None, "devices"))
    entries = NamedSharding(mesh(devices), PartitionSpec("devices"))
    split = [
        jax.device_put(layer, everywhere if len(layer.bias) % devices else Layer(columns, entries))
        for layer in params
    ]
    return split, jax.device_put(x, everywhere), jax.device_put(y, everywhere)


SPLIT = {"data": split_rows, "tensor": split_units}


def gradient_on(kind, devices, params, x, y):
    """The gradient computed by so many devices, as NumPy arrays of the dtype of x."""
    with jax.enable_x64(x.dtype == np.float64):
        params = [Layer(*layer) for layer in params]
        grads = gradient_of_loss(*SPLIT[kind](params, x, y, devices))
        return [Layer(np.asarray(weight), np.asarray(bias)) for weight, bias in grads]


def data_parallel(params, x, y):
    """For the oracle: as many devices as divide the batch."""
    devices = max(n for n in range(1, len(jax.devices()) + 1) if len(x) % n == 0)
    return gradient_on("data", devices, params, x, y)


def tensor_parallel(params, x, y):
    """For the oracle: as many devices as divide the units of some layer."""
    sizes = [len(layer.bias) for layer in params]
    devices = max(n for n in range(1, len(jax.devices()) + 1) if any(size % n == 0 for size in sizes))
    return gradient_on("tensor", devices, params, x, y)


def train(net, x, y, kind, devices, epochs, batch_size, learning_rate):
    """Train a network of mlp_ref on many devices, and put the result back into it, to the bit."""
    rng = np.random.default_rng(0)
    one_hot = np.eye(net.layer_sizes[-1], dtype=net.dtype)[y]
    params = [Layer(*layer) for layer in net.params]
    rate = np.asarray(learning_rate, net.dtype)
    for _ in range(epochs):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch_size + 1, batch_size):
            rows = order[start : start + batch_size]
            params = step(*SPLIT[kind](params, x[rows], one_hot[rows], devices), rate)
    net.params = [Layer(np.asarray(weight), np.asarray(bias)) for weight, bias in params]


def main():
    """Train on the digits, and print the accuracy before and after."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kind", choices=SPLIT, default="data", help="what is divided (default data)")
    parser.add_argument("--devices", type=int, default=len(jax.devices()), help="how many (default all)")
    parser.add_argument("--epochs", type=int, default=10, help="(default 10)")
    parser.add_argument("--load", metavar="FILE", help="a network that mlp_ref saved, to train on")
    parser.add_argument("--save", metavar="FILE", help="where mlp_ref shall find the result")
    args = parser.parse_args()
    (x, y), (x_test, y_test) = datasets.load_digits()
    net = MLP.load(args.load) if args.load else MLP([64, 32, 16, 10], seed=0)
    print(f"{args.devices} of {len(jax.devices())} devices, {args.kind} parallel")
    print(f"test accuracy before {net.score(x_test, y_test):.1%}")
    train(net, x, y, args.kind, args.devices, args.epochs, batch_size=32, learning_rate=1.0)
    print(f"test accuracy after  {net.score(x_test, y_test):.1%}")
    if args.save:
        net.save(args.save)


if __name__ == "__main__":
    main()
