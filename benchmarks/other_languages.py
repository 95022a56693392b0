"""Measure what the examples in C, JavaScript and Rust cost to judge: ``python benchmarks/other_languages.py [CASES]``.

For each that can be built here: the verdict of CASES cases (2000), float32 and float64, with the seconds it took; and
what a call costs over the same call of a NumPy function in this process, the median of alternated calls of a small
network.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import verify
from mlp_ref import loss_and_gradient

EXAMPLES = Path(__file__).parents[1] / "examples"
SPEC = verify.Spec("relu")
CALLS = 1000


def commands(directory):
    """The command of each example that can be built, or run, here."""
    path = f"{Path.home() / '.cargo' / 'bin'}:/usr/local/bin:/usr/bin"
    builders = {
        "C": ("cc", ["-std=c99", "-O2", EXAMPLES / "c" / "mlp.c", "-lm", "-o"]),
        "Rust": ("rustc", ["--edition", "2021", "-O", EXAMPLES / "rust" / "mlp.rs", "-o"]),
    }
    for name, (compiler, options) in builders.items():
        found = shutil.which(compiler) or shutil.which(compiler, path=path)
        if found:
            subprocess.run([found, *options, directory / name], check=True)
            yield name, [str(directory / name)]
    if shutil.which("node"):
        yield "JavaScript", ["node", str(EXAMPLES / "javascript" / "mlp.js")]


def here(params, x, y):
    """The same gradient, in this process."""
    return loss_and_gradient(params, x, y, hidden="relu")[1]


def overhead(program, case):
    """Median milliseconds of a call of the program, and of a call here, taken in turn."""
    gradient = program.target(SPEC).gradient
    arrays = case.arrays()
    seconds = ([], [])
    for _ in range(CALLS):
        for function, taken in zip((gradient, here), seconds, strict=True):
            start = time.perf_counter()
            function(*arrays)
            taken.append(time.perf_counter() - start)
    return [1000 * statistics.median(taken) for taken in seconds]


def main():
    """Print a line for each example."""
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    with tempfile.TemporaryDirectory() as directory:
        for name, command in commands(Path(directory)):
            with verify.Program(command) as program:
                report = verify.check(program, SPEC, cases=cases)
                dtypes = ", ".join(program.hello.dtypes)
                print(f"{name:12}{report.verdict}, {cases} cases, {dtypes}: {report.seconds:.1f} s")
                for dtype in program.hello.dtypes:
                    there, local = overhead(program, verify.Case((3, 4, 3), 5, dtype))
                    print(f"{'':12}{dtype}: {there:.3f} ms a call, {there - local:.3f} ms more than here")
            with verify.Program([*command, "--wrong"]) as program:
                found = verify.check(program, SPEC, cases=cases)
                print(
                    f"{'':12}--wrong is {found.verdict}: {', '.join(found.findings[0].mistakes) or 'not named'}"
                )


if __name__ == "__main__":
    main()
