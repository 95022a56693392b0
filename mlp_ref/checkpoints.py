"""Checkpoints: all that a training run needs to go on after its process has ended, with the same bits."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mlp_ref.checks import check_positive
from mlp_ref.history import History
from mlp_ref.npz import CHECKPOINT, read_npz, write_npz
from mlp_ref.optimisers import OptimiserMemory
from mlp_ref.training_course import TrainingState

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Checkpoints", "checksum"]

FILE = "checkpoint.npz"


class Checkpoints:
    """The checkpoint of a training run in a directory: one file, replaced whole or not at all.

    Parameters
    ----------
    directory : path
        Made where it is missing.
    every : int
        Epochs from one checkpoint to the next.
    resume : bool
        Go on from the checkpoint that is there, if there is one.
    settings : mapping
        What must be as it was, by name.

    Attributes
    ----------
    state : TrainingState, optional
        From where to go on.

    Raises
    ------
    FileExistsError
        Where a checkpoint is there and not to be resumed.
    ValueError
        Where it is that of another training, or damaged.
    OSError
        Where the directory cannot be made.
    """

    def __init__(
        self, directory: str | os.PathLike[str], every: int, resume: bool, settings: Mapping[str, str]
    ) -> None:
        if not isinstance(directory, str | os.PathLike):
            raise TypeError(f"checkpoint must be the path of a directory, got {directory!r}")
        self.every = check_positive(every, "checkpoint_every")
        self.settings = dict(settings)
        folder = Path(directory)
        if folder.exists() and not folder.is_dir():
            raise NotADirectoryError(f"checkpoint must be a directory, but {str(folder)!r} is a file")
        self.path = folder / FILE
        self.state: TrainingState | None = None
        if self.path.exists():
            if not resume:
                raise FileExistsError(
                    f"{self.path} is the checkpoint of a training: go on with resume=True (--resume), "
                    "or give another directory, or delete the file"
                )
            self.state = self._read()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"checkpoint: the directory {str(folder)!r} cannot be made: {error.strerror}"
            ) from error
        for draft in folder.glob(f".{FILE}.*.part"):  # of a process that was killed while it wrote
            draft.unlink()

    def write(self, state: TrainingState) -> None:
        """Replace the checkpoint by `state`."""
        texts = {
            "settings": self.settings,
            "first_random_state": state.first_random_state,
            "random_state": state.random_state,
            "history": vars(state.history),
        }
        vectors, best = state.memory.vectors, state.best_flat
        write_npz(
            self.path,
            {
                **{name: np.array(json.dumps(value)) for name, value in texts.items()},
                "flat": state.flat,
                "best_flat": state.flat[:0] if best is None else best,
                "steps": np.array(state.memory.steps),
                "vectors": np.empty((0, 0), state.flat.dtype) if vectors is None else vectors,
            },
            CHECKPOINT,
        )

    def _read(self) -> TrainingState:
        texts = ("settings", "first_random_state", "random_state", "history")
        arrays = read_npz(self.path, (*texts, "flat", "best_flat", "steps", "vectors"), CHECKPOINT)
        try:
            settings, first, now, history = (json.loads(str(arrays[name])) for name in texts)
            memory = OptimiserMemory(
                int(arrays["steps"]), arrays["vectors"] if arrays["vectors"].size else None
            )
            state = TrainingState(
                arrays["flat"], arrays["best_flat"] if arrays["best_flat"].size else None, memory, first, now,
                History(**history),
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.path} is damaged: {error}") from error
        for name in {**settings, **self.settings}:
            then, now_ = settings.get(name), self.settings.get(name)
            if then != now_:
                raise ValueError(
                    f"{self.path} is the checkpoint of another training: {name} was {then} then, and is {now_} now"
                )
        return state


def checksum(*arrays: Any) -> str:
    """Return a checksum of arrays' shapes, dtypes and bytes, None among them counting as empty."""
    total = 0
    for array in arrays:
        if array is None:
            continue
        total = zlib.crc32(repr((array.shape, array.dtype.str)).encode(), total)
        total = zlib.crc32(np.ascontiguousarray(array).data, total)
    return f"{total:08x}"
