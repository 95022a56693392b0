"""The failure of a case, which ends it."""

from __future__ import annotations

from verify.reference.judge import Judgement


class Failed(Exception):
    """A case that a gradient did not pass: the check, a verdict, one sentence, and the numbers if there are any."""

    def __init__(self, check: str, verdict: str, detail: str, judgement: Judgement | None = None) -> None:
        super().__init__(check, verdict, detail, judgement)
        self.check, self.verdict, self.detail, self.judgement = check, verdict, detail, judgement


class NotCalled(Failed):
    """A case that was not put to the target, which is called no more: nothing is known of it."""

    def __init__(self, detail: str) -> None:
        super().__init__("runs", "crashed", detail)
