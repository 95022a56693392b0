"""``python -m verify``: judge the network that ships, on random networks and on the digits; or one of the commands."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

COMMANDS = {
    "check": ("verify.commands.check", "judge a gradient of yours"),
    "sweep": (
        "verify.commands.sweep",
        "judge a gradient on millions of cases, on several processes or a cluster",
    ),
    "mistakes": ("verify.commands.mistakes.command", "run the oracle against a catalogue of wrong gradients"),
    "accuracy": (
        "verify.commands.accuracy",
        "the error of mlp_ref, JAX and PyTorch against certified enclosures",
    ),
    "vectors": (
        "verify.commands.vectors.command",
        "write known gradients with a bound for every entry, for any language",
    ),
    "bench": ("verify.commands.bench.command", "the speed of manual gradients against JAX gradients"),
}
MAIN_JOB = (
    "verify.commands.self_check",
    "judge mlp_ref on random networks and on the digits (this is the default)",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status is 0 (verified), 1 (not verified) or 2 (it could not be run).

    It is 1 also where standard output was closed before all was printed.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(
        prog="python -m verify",
        description=__doc__,
        epilog="python -m verify COMMAND --help lists a command's options; mlp_ref is the command when none is named",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_, what) in {"mlp_ref": MAIN_JOB, **COMMANDS}.items():
        commands.add_parser(name, help=what, description=what, add_help=False)
    chosen = argv[0] if argv and not argv[0].startswith("-") else "mlp_ref"
    if argv[:1] in (["-h"], ["--help"]) or (chosen != "mlp_ref" and chosen not in COMMANDS):
        parser.parse_args(argv)  # prints the help, or what is wrong, and exits
    module_name, what = COMMANDS.get(chosen, MAIN_JOB)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        print(
            f"python -m verify needs {error.name}: pip install '.[verify]' in a checkout of mlp-ref",
            file=sys.stderr,
        )
        return 2
    command = argparse.ArgumentParser(prog=f"python -m verify {chosen}", description=what)
    module.add_arguments(command)
    arguments = command.parse_args(argv[1:] if argv[:1] == [chosen] else argv)
    try:
        status = int(module.run(arguments))
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Stdout was closed, as `head` does when it has enough. What Python still flushes goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, TypeError, OSError) as error:
        print(f"python -m verify {chosen}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
