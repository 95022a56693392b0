"""Kill a training at random moments, go on from its checkpoint, and compare the bits with one that ran through.

    python benchmarks/resume_evidence.py [--kills 20]

The training is a process that trains on the embedded digits with Adam, a cosine schedule, held-out rows and early
stopping, with a checkpoint after every epoch. It is killed (SIGKILL) after a random time, again and again, and started
again with the same command, until it has been killed so often; then it may end. So a kill falls anywhere: while it
imports, within a step, while a checkpoint is written. Every checkpoint found is one whole file.

Exit status 1 if a parameter or a figure of the history differs.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from mlp_ref import MLP, EarlyStopping, datasets
from mlp_ref.schedules import Cosine

CHECKPOINT = "checkpoint.npz"


def train(epochs: int, checkpoint: Path | None) -> None:
    """Train, or go on, and print the history and the parameters' bits."""
    (x, y), _ = datasets.load_digits()
    net = MLP([64, 32, 10], hidden="relu", seed=3)
    history = net.fit(
        x,
        y,
        epochs=epochs,
        batch_size=16,
        learning_rate=0.002,
        optimiser="adam",
        schedule=Cosine(0.1),
        validation=0.1,
        stopping=EarlyStopping(patience=epochs),
        checkpoint=checkpoint,
        resume=checkpoint is not None,
    )
    print(json.dumps({"history": vars(history), "flat": net.flat.tobytes().hex()}))


def epochs_in(folder: Path) -> int:
    """Return how many epochs the checkpoint in a directory has, 0 where there is none."""
    if not (folder / CHECKPOINT).exists():
        return 0
    with np.load(folder / CHECKPOINT) as arrays:
        return len(json.loads(str(arrays["history"]))["loss"])


def main() -> int:
    """Run the evidence, print it, and return the exit status."""
    parser = argparse.ArgumentParser(description="Kill a training and go on, to the same bits.")
    parser.add_argument("--kills", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=250, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: %(default)s)")
    parser.add_argument("--train", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.train is not None:
        train(options.epochs, options.train)
        return 0
    command = [sys.executable, __file__, "--epochs", str(options.epochs), "--train"]
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as directory:
        started = time.perf_counter()
        straight = subprocess.run(
            [*command, f"{directory}/straight"], capture_output=True, check=True, text=True
        )
        whole = time.perf_counter() - started
        folder = Path(directory) / "killed"
        command.append(str(folder))
        print(
            f"a training of {options.epochs} epochs, {whole:.1f} s\nkill   after s   epochs in the checkpoint"
        )
        kills = 0
        while kills < options.kills:
            # Each run lives at most an eighth of the whole, so that all kills fall before the end.
            moment = moments.uniform(0, max(whole / 8, 0.5))
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            try:
                process.wait(moment)
                print("it ended before it was killed: more epochs are needed for so many kills")
                return 1
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            kills += 1
            print(f"{kills:4} {moment:9.2f} {epochs_in(folder):10}", flush=True)
        resumed = subprocess.run(command, capture_output=True, check=True, text=True)
        same = resumed.stdout == straight.stdout
        leftovers = sorted(path.name for path in folder.iterdir())
    print(f"parameters and history after {kills} kills: {'the same bits' if same else 'NOT THE SAME'}")
    print(f"files in the directory: {', '.join(leftovers)}")
    return int(not same or leftovers != [CHECKPOINT])


if __name__ == "__main__":
    sys.exit(main())
