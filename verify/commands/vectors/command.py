"""``python -m verify vectors OUT``: write known gradients with bounds, and say which mistakes they catch."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from verify.case.case import DTYPES
from verify.commands.progress_bar import progress_bar
from verify.commands.vectors.choose import RELEASE, choose_vectors, mistakes_to_catch
from verify.commands.vectors.files import group_for_files, vectors_from_json, write_vector_files
from verify.commands.vectors.layers import choose as layer_choose
from verify.commands.vectors.layers import files as layer_files
from verify.commands.vectors.layers.score import print_layer_score
from verify.commands.vectors.layers.vector import LayerVector
from verify.commands.vectors.vector import Vector, failed_vectors
from verify.diagnosis.mistakes import wrong_gradient
from verify.reference.layers import NAMES, reference_in_table
from verify.reference.spec import HIDDEN, LOSSES, OUTPUTS, REDUCTIONS, Spec
from verify.reference.truth import Truth
from verify.subject.target_options import spec_from_options

_OF_SPEC = {"hidden": HIDDEN, "output": OUTPUTS, "loss": LOSSES, "reduction": REDUCTIONS}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The directory and the options of ``python -m verify vectors``."""
    parser.add_argument(
        "directory", metavar="OUT", type=Path, help="where to write; it is made where missing"
    )
    for name, known in _OF_SPEC.items():
        parser.add_argument(
            f"--{name}", choices=known, help="of the one spec to write (default: the release set)"
        )
    parser.add_argument("--l2", type=float, help="the one spec's penalty, 0.5 * l2 * sum(weight**2)")
    parser.add_argument(
        "--reference",
        nargs="+",
        metavar="LAYER",
        help="layers to write in place of networks, such as conv2d batch_norm; all: every layer "
        "(default: the release set, which has every layer too)",
    )
    parser.add_argument("--dtypes", help=f"comma-separated, from {', '.join(DTYPES)} (default: both)")
    parser.add_argument(
        "--cases", type=int, default=60, help="cases that each group is chosen from (default 60)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same files (default 0)")
    parser.add_argument("--readmemh", action="store_true", help="also lines for Verilog's $readmemh")


def run(arguments: argparse.Namespace) -> int:
    """Run ``verify vectors``: choose, write, read back, and score; 0 where right gradients pass and every mistake is
    caught, else 1.

    Raises
    ------
    ValueError, OSError
        When an option or the directory cannot be used.
    """
    if arguments.cases < 1 or arguments.seed < 0:
        raise ValueError(
            f"--cases must be 1 or larger and --seed 0 or larger; got {arguments.cases} and {arguments.seed}"
        )
    dtypes = DTYPES if arguments.dtypes is None else tuple(arguments.dtypes.split(","))
    if not set(dtypes) <= set(DTYPES):
        raise ValueError(f"--dtypes takes names from {', '.join(DTYPES)}; got {arguments.dtypes!r}")
    specs, layers = _asked(arguments)
    if arguments.directory.exists() and not arguments.directory.is_dir():
        raise ValueError(f"OUT must be a directory; {arguments.directory} is a file")
    written_all = True
    if specs:
        written_all &= _networks(specs, dtypes, arguments)
    if layers:
        written_all &= _layers(layers, dtypes, arguments)
    return 0 if written_all else 1


def _asked(arguments: argparse.Namespace) -> tuple[Sequence[Spec], Sequence[str]]:
    """Return the specs and the layers to write: the release set where nothing else is asked for."""
    given = {name: getattr(arguments, name) for name in (*_OF_SPEC, "l2")} | {
        "reference": None,
        "weights": None,
    }
    spec = spec_from_options(given, None)
    assert spec is None or isinstance(spec, Spec)  # without --reference, it is no function
    if arguments.reference is None:
        return (RELEASE, NAMES) if spec is None else ((spec,), ())
    if spec is not None:
        raise ValueError("--reference takes the place of the options of a spec: give one or the other")
    if arguments.reference == ["all"]:
        return (), NAMES
    return (), [reference_in_table(name).name for name in dict.fromkeys(arguments.reference)]


def _networks(specs: Sequence[Spec], dtypes: Sequence[str], arguments: argparse.Namespace) -> bool:
    """Write and score the vectors of networks; whether every mistake is caught and no right gradient rejected."""
    groups = [(spec, dtype) for spec in specs for dtype in dtypes]
    vectors: list[Vector] = []
    with progress_bar("vectors") as progress:
        for done, (spec, dtype) in enumerate(groups, start=1):
            vectors += choose_vectors(spec, dtype, arguments.cases, arguments.seed)
            if progress is not None:
                progress(done, len(groups))
    files = write_vector_files(vectors, arguments.directory, arguments.readmemh)
    _print_files(f"{len(vectors)} vectors in {len(groups)} groups", files)
    return _scored(vectors_from_json(files[0].read_text(encoding="utf-8")), specs)


def _layers(layers: Sequence[str], dtypes: Sequence[str], arguments: argparse.Namespace) -> bool:
    """Write and score the vectors of layers; whether every mistake is caught."""
    groups = [(reference_in_table(layer), dtype) for layer in layers for dtype in dtypes]
    vectors: list[LayerVector] = []
    with progress_bar("vectors of layers") as progress:
        for done, (reference, dtype) in enumerate(groups, start=1):
            vectors += layer_choose.choose_layer_vectors(reference, dtype, arguments.cases, arguments.seed)
            if progress is not None:
                progress(done, len(groups))
    files = layer_files.write_layer_files(vectors, arguments.directory, arguments.readmemh)
    _print_files(f"{len(vectors)} vectors of {len(layers)} layers in {len(groups)} groups", files)
    return print_layer_score(layer_files.layer_vectors_from_json(files[0].read_text(encoding="utf-8")))


def _print_files(heading: str, files: Sequence[Path]) -> None:
    print(heading)
    for file in files:
        print(f"  {file.stat().st_size:9,} bytes  {file}")


def _scored(vectors: Sequence[Vector], specs: Sequence[Spec]) -> bool:
    """Print what the files catch, judged by their bounds alone; whether that is all, and no right gradient."""
    print("\nmistakes of the catalogue caught, by the bounds in the files alone")
    missed: list[str] = []
    constants: list[str] = []
    total = wrongly = 0
    for spec in specs:
        mistakes = mistakes_to_catch(spec)
        names = list(dict.fromkeys(mistake.name for mistake in mistakes))
        caught: dict[str, set[int]] = {}
        for (of, dtype), members in group_for_files(vectors):
            if of == spec:
                wrongly += sum(failed_vectors(members, wrong_gradient(spec)))
                caught[dtype] = {
                    i for i, m in enumerate(mistakes) if any(failed_vectors(members, wrong_gradient(spec, m)))
                }
        seen = set().union(*caught.values())
        # The first constant is the one that the catalogue's own score is taken with.
        first = {name: next(i for i, m in enumerate(mistakes) if m.name == name) for name in names}
        lost = [name for name in names if first[name] not in seen]
        parts = [f"{dtype} {len(found & set(first.values()))}" for dtype, found in caught.items()]
        print(f"  {spec!s:72}{', '.join(parts)} of {len(names)}{'; missed: ' * bool(lost)}{', '.join(lost)}")
        missed += lost
        constants += [mistakes[i].name for i in range(len(mistakes)) if i not in seen | set(first.values())]
        total += len(names)
    print(f"  together {total - len(missed)} of {total} ({1 - len(missed) / total:.1%})")
    if constants:
        counted = ", ".join(f"{name} {constants.count(name)}" for name in dict.fromkeys(constants))
        print(f"  not caught with another constant (which may be beyond all that is clipped): {counted}")
    print(f"right gradients (NumPy) rejected: {wrongly} of {len(vectors)}")
    ratios = _widening(vectors)
    print(
        f"bounds in the files, in units of the oracle's: median {np.median(ratios):.4f}, most {ratios.max():.4f}"
    )
    return not (missed or wrongly)


def _widening(vectors: Sequence[Vector]) -> np.ndarray:
    """Return what rounding the expected values and the bounds has added to the oracle's bounds."""
    ratios = []
    for each in vectors:
        params = [tensor for layer in each.layers(each.params) for tensor in layer]
        inputs = [np.asarray(array, dtype=np.float64) for array in (*params, each.x, each.y)]
        bounds = [bound.ravel() for _, bound in Truth.of(each.spec, inputs, each.dtype).tensors]
        own, oracles = each.bound.astype(np.float64), np.concatenate(bounds)
        said = np.isfinite(own) & np.isfinite(oracles) & (oracles > 0)
        ratios.append(own[said] / oracles[said])
    return np.concatenate(ratios)
