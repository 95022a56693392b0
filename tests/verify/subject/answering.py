"""A program that speaks the protocol, and misbehaves as its argument says: ``python answering.py MODE``."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from mlp_ref import forward, loss_and_gradient

MODE = sys.argv[1] if len(sys.argv) > 1 else "right"
HELLO = {
    "type": "hello",
    "protocol": 1,
    "name": "answering",
    "version": "0.3",
    "hidden": ["relu", "sigmoid"],
    "outputs": [["softmax", "cross_entropy"]],
    "reductions": ["mean"],
    "l2": False,
}


def say(message):
    print(json.dumps(message), flush=True)


def read(tensor):
    data = tensor["data"]
    if isinstance(data, str):
        return np.frombuffer(base64.b64decode(data), tensor["dtype"]).reshape(tensor["shape"])
    numbers = [float.fromhex(n) if isinstance(n, str) else n for n in data]
    return np.array(numbers, tensor["dtype"]).reshape(tensor["shape"])


def write(array):
    array = np.asarray(array)
    data = base64.b64encode(array.tobytes()).decode()
    return {"shape": list(array.shape), "dtype": array.dtype.name, "data": data}


def misbehave(number, message):
    """Do what a mode does in place of an answer, or before it; return whether that was the answer."""
    if MODE == "crash_each_tenth" and number == 10:
        print("the tenth\nis too much", file=sys.stderr, flush=True)
        sys.exit(7)
    if MODE == "crash_wide" and max(message["sizes"]) >= 4:
        os.kill(os.getpid(), signal.SIGSEGV)
    if MODE == "tell_and_hang":
        Path(os.environ["TELL"]).write_text(str(os.getpid()))
    if MODE in ("hang", "tell_and_hang"):
        time.sleep(3600)
    if MODE == "hang_deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.run(["sleep", "3600"], check=False)
    if MODE == "rubbish":
        print("epoch 1: loss 0.3", flush=True)
        return True
    if MODE == "flood_errors":
        sys.stderr.write("x" * 300_000 + "\nthe last line\n")
        sys.stderr.flush()
    if MODE == "flood_output":
        while True:
            sys.stdout.write("x" * 65536)
    if MODE == "nested":
        print("[" * 100_000 + "]" * 100_000, flush=True)
        return True
    if MODE == "hello_again":
        say(HELLO)
    if MODE == "one_behind":
        say({"type": "answer", "id": message["id"] - 1, "tensors": []})
        return True
    if MODE == "twice":
        say({"type": "answer", "id": message["id"], "tensors": [write(t) for t in zeros(message)]})
    if MODE == "no_answer":
        say({"type": "gradient", "id": message["id"]})
        return True
    if MODE == "says_error":
        say({"type": "error", "id": message["id"], "message": "no rule for this\nand more"})
        return True
    if MODE == "closes_output":
        os.close(1)
        time.sleep(3600)
    return False


def zeros(message):
    return [np.zeros(t["shape"], t["dtype"]) for t in message["tensors"][:-2]]


def main():
    if MODE == "dies_at_start":
        sys.exit("no such device")
    if MODE == "leaves_child":
        child = subprocess.Popen(["sleep", "3600"])
        HELLO["version"] = str(child.pid)
    number = 0
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "stop":
            return
        if message["type"] == "hello":
            say({**HELLO, **json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}")})
            continue
        number += 1
        if misbehave(number, message):
            continue
        arrays = [read(tensor) for tensor in message["tensors"]]
        *tensors, x = arrays if message["type"] == "forward" else arrays[:-1]
        params = list(zip(tensors[::2], tensors[1::2], strict=True))
        if message["type"] == "forward":
            z = forward(params, x, hidden=message["hidden"])
            p = np.exp(z - z.max(axis=1, keepdims=True))
            answer = [p / p.sum(axis=1, keepdims=True)]
        else:
            loss, grads = loss_and_gradient(params, x, arrays[-1], hidden=message["hidden"])
            answer = (
                [t for layer in grads for t in layer]
                if message["type"] == "gradient"
                else [np.asarray(loss, x.dtype)]
            )
        if MODE == "layer_lost":
            answer = answer[:-2]
        if MODE == "transposed":
            answer[0] = answer[0].T
        if MODE == "widened":
            answer = [t.astype(np.float64) for t in answer]
        if MODE == "odd":
            answer = answer[:-1]
        changed = {"changed": ["x"]} if MODE == "changes_x" else {}
        say({"type": "answer", "id": message["id"], "tensors": [write(t) for t in answer], **changed})


main()
