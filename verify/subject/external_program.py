"""A program in any language as what is judged: one long-lived process, asked for gradients line by line."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Sequence
from typing import Any

from mlp_ref.params import Layer
from verify.evaluate.array import Array
from verify.reference.spec import Spec
from verify.reference.truth import Gradient, SpecLike, tensors_of
from verify.subject import protocol
from verify.subject.failed import Failed, NotCalled
from verify.subject.process import Process, ProcessGaveNoAnswer
from verify.subject.target import Target, TargetError

START_S = 60.0
"""How long a program may take to start and say hello, where nothing else is said: some languages compile first."""

TIMEOUT_S = 10.0
"""How long it may take for an answer, where nothing else is said."""

PATIENCE = 3
"""Calls without an answer in time, after which a program is called no more: each costs the whole limit."""


class Program:
    """A program in any language that speaks the protocol of ``docs/protocol.md`` over standard input and output.

    Parameters
    ----------
    command
        The program and its arguments: a list, or a string that is split as a shell would; no shell runs it.
    timeout
        Seconds that it may take for an answer, and to say hello. Not given: 10, and 60 to say hello.

    Raises
    ------
    TargetError
        When the command is empty. A program that cannot be started, or does not say hello as it should, is found
        out when it is first needed.

    Notes
    -----
    It is started when it is first needed, and again after it crashed. It and all that it began end with ``stop()``,
    at the end of a ``with`` block, when the object is no longer used, and at the interpreter's exit.
    """

    def __init__(self, command: str | Sequence[str], *, timeout: float | None = None) -> None:
        self.command = shlex.split(command) if isinstance(command, str) else list(command)
        if not self.command or not all(isinstance(part, str) for part in self.command):
            raise TargetError(f"command must name a program and its arguments; got {command!r}")
        self.timeout = TIMEOUT_S if timeout is None else program_time_limit(timeout)
        self._start_timeout = START_S if timeout is None else self.timeout
        self.calls = 0
        self._silent = 0
        self._process: Process | None = None
        self._hello: protocol.ProtocolHello | None = None
        self._answered = 0

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process, with a word that it may end by itself."""
        if self._process is not None:
            self._process.stop(protocol.STOP, 1.0)
        self._process = None

    @property
    def pid(self) -> int | None:
        """The process that now answers; None where none does."""
        return self._process.pid if self._process is not None else None

    @property
    def hello(self) -> protocol.ProtocolHello:
        """Return what the program says of itself; it is started to be asked.

        Raises
        ------
        TargetError
            When it cannot be started, ends at once, or does not say hello as it should.
        """
        if self._hello is None:
            self._start()
        assert self._hello is not None
        return self._hello

    @property
    def spec(self) -> Spec:
        """Return what it is judged as where nothing else is said: the first of each thing that it takes."""
        return self.hello.spec

    def target(self, spec: SpecLike | None = None) -> Target:
        """The Target for a spec.

        Raises
        ------
        TargetError
            As `hello`, and where the program says that it does not take the spec.
        """
        said = self.hello
        self._silent = 0
        asked = Target(self._refused, spec=self.spec, biases=said.biases).judged_as(spec)
        named = asked if isinstance(asked, Spec) else None
        if named is not None and (refusal := said.refusal(named)):
            raise TargetError(refusal)
        name, source = self._named()

        def gradient(params: Sequence[Layer], x: Array, y: Array) -> Gradient:
            tensors = self._asked("gradient", named, [*tensors_of(list(params)), x, y])
            if len(tensors) % 2:
                raise Failed(
                    "result", "crashed", f"the program returned {len(tensors)} tensors, an odd number"
                )
            return [Layer(*pair) for pair in zip(tensors[::2], tensors[1::2], strict=True)]

        def loss(params: Sequence[Layer], x: Array, y: Array) -> Array:
            return self._one("loss", named, [*tensors_of(list(params)), x, y])

        def forward(params: Sequence[Layer], x: Array) -> Array:
            return self._one("forward", named, [*tensors_of(list(params)), x])

        return Target(
            gradient,
            loss if "loss" in said.calls else None,
            name=name,
            source=source,
            forward=forward if "forward" in said.calls and named is not None else None,
            spec=self.spec,
            biases=said.biases,
            layers=said.layers,
            labels=said.labels,
            dtypes=said.dtypes,
            notes=(f"the program {said.name} {said.version}".rstrip() + f", tensors in {said.encoding}",),
        )

    def _named(self) -> tuple[str, str]:
        """Return what it is called, and the line that brings it into scope."""
        name = shlex.join(self.command)
        variable = name if name.isidentifier() else "gradient"
        usual = (self.timeout, self._start_timeout) == (TIMEOUT_S, START_S)
        limit = "" if usual else f", timeout={self.timeout:g}"
        return name, f"{variable} = verify.Program({name!r}{limit})"

    def _refused(self, *_: Any) -> Any:
        raise TypeError("a Program is not called itself: verify.check(program) does it")

    def _start(self) -> None:
        """Start it and hear what it says of itself."""
        name, _ = self._named()
        try:
            process = Process(self.command)
        except OSError as error:
            raise TargetError(f"{name} cannot be run: {error.strerror or error}") from error
        with contextlib.ExitStack() as failed:
            failed.callback(process.end)
            try:
                greeting = protocol.protocol_line({"type": "hello", "protocol": protocol.VERSION})
                said = protocol.protocol_hello(process.asked(greeting, self._start_timeout, 1 << 20))
            except ProcessGaveNoAnswer as missing:
                raise TargetError(f"{name} did not say hello: it {missing}") from None
            except protocol.ProtocolError as unusable:
                raise TargetError(f"{name} {unusable}{process.last_words()}") from None
            failed.pop_all()
        self._process, self._answered = process, 0
        self._hello = self._hello or said

    def _one(self, kind: str, spec: Spec | None, arrays: list[Array]) -> Array:
        tensors = self._asked(kind, spec, arrays)
        if len(tensors) != 1:
            raise Failed(
                kind, "crashed", f"the program returned {len(tensors)} tensors for its {kind}, not one"
            )
        return tensors[0]

    def _asked(self, kind: str, spec: Spec | None, arrays: list[Array]) -> list[Array]:
        """The tensors that answer a call; a Failed where none do."""
        if arrays[0].dtype.name not in self.hello.dtypes:
            taken = ", ".join(self.hello.dtypes)
            raise TypeError(f"the program takes {taken}; it was not called with {arrays[0].dtype.name}")
        if self._silent >= PATIENCE:
            raise NotCalled(f"it gave no answer in time {PATIENCE} times, and is called no more")
        try:
            return self._answer(kind, spec, arrays)
        except ProcessGaveNoAnswer as missing:
            self._silent += missing.silent
            number = self._answered + 1
            again = "" if missing.silent or number == 1 else self._again(kind, spec, arrays)
            detail = f"in call {number} of its process the program {missing}{again}"
        except protocol.ProtocolError as unusable:
            words = self._process.last_words() if self._process is not None else ""
            self._drop()
            detail = f"the program {unusable}{words}"
        raise Failed("runs", "crashed", detail)

    def _again(self, kind: str, spec: Spec | None, arrays: list[Array]) -> str:
        """Return what a fresh process does with the call in which the last one crashed, as the end of a sentence."""
        try:
            self._answer(kind, spec, arrays)
        except ProcessGaveNoAnswer as missing:
            return f"; a fresh process, given this call first, {missing}"
        except protocol.ProtocolError:
            self._drop()
            return ""
        except Failed:
            return ""
        return "; a fresh process answers the same call"

    def _drop(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None

    def _answer(self, kind: str, spec: Spec | None, arrays: list[Array]) -> list[Array]:
        if self._process is None or not self._process.end.alive:
            try:
                self._start()
            except TargetError as error:
                raise Failed("runs", "crashed", f"the program cannot be started again: {error}") from None
        assert self._process is not None
        self.calls += 1
        number = self.calls
        question = protocol.protocol_request(kind, number, spec, arrays, self.hello.encoding)
        # What a gradient of this size takes in hexadecimal, and as much again; a megabyte for a long message.
        longest = (1 << 20) + 64 * sum(array.size for array in arrays)
        answer = protocol.protocol_message(self._process.asked(question, self.timeout, longest))
        if answer.get("type") == "hello":
            raise protocol.ProtocolError(f"said hello again where call {number} was asked")
        if answer.get("id") != number:
            raise protocol.ProtocolError(f"answered call {answer.get('id')!r} where call {number} was asked")
        self._answered += 1
        if answer.get("type") == "error":
            said = str(answer.get("message", "")).strip().partition("\n")[0]
            raise Failed("runs", "crashed", f"the program answered with an error: {said or 'no message'}")
        tensors = answer.get("tensors")
        if answer.get("type") != "answer" or not isinstance(tensors, list):
            raise protocol.ProtocolError(
                f"answered call {number} with neither an answer of tensors nor an error"
            )
        changed = answer.get("changed")
        if changed:
            raise Failed(
                "inputs", "wrong", f"the call changed {', '.join(map(str, changed))} that it was given"
            )
        return [protocol.protocol_array(found, f"tensor {i + 1}") for i, found in enumerate(tensors)]


def program_time_limit(timeout: float) -> float:
    """A program's time limit, once it is found to be one; a TargetError says what is wrong with it."""
    if not (isinstance(timeout, (int, float)) and 0 < timeout < float("inf")):
        raise TargetError(f"timeout must be a positive number of seconds; got {timeout!r}")
    return float(timeout)
