"""The summary of random rounding over a run: counted case by case, told by dtype and kind of tensor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from verify.oracle.precision import Precision, ShownPrecision, precision_lines
from verify.reference.judge import BandedJudgement
from verify.reference.tensors import Tensor


@dataclass(frozen=True)
class RandomRoundingSummary:
    """The summary of random rounding over a run: under its model, and so apart from what is certified.

    Attributes
    ----------
    false_alarm
        The most, under the model, that the probability is that rounding alone takes any entry of the run beyond its
        band.
    cases
        How many cases were within their bands.
    in_doubt
        In how many others an entry is within its band only if a choice in doubt, such as the side of relu's kink,
        may fall on either side.
    unexplained
        In how many others an entry lies beyond its band, though its error shrinks at a higher precision as rounding
        does.
    sigmas, quantile
        The largest error of the cases within their bands, in units of sigma, and how many sigma the widest band
        reaches.
    bands
        For each dtype and kind of tensor, the widest band, in units of the tensor's largest entry: the median over the
        cases, and the worst. An error that is larger is found.
    """

    false_alarm: float
    cases: int
    in_doubt: int
    unexplained: int
    sigmas: float
    quantile: float
    bands: dict[str, dict[str, ShownPrecision]]

    def told(self) -> list[str]:
        """Lines for a person."""
        odd = [
            f"{n} {what}" for n, what in ((self.in_doubt, "in doubt"), (self.unexplained, "unexplained")) if n
        ]
        counted = ", ".join([f"{self.cases} cases within their bands", *odd])
        return [
            f"{counted}; at most {self.sigmas:.2g} of {self.quantile:.3g} sigma",
            *(f"bands in {line}" for line in precision_lines(self.bands)),
            f"(a model; a false alarm in the run has probability {self.false_alarm:.0e} at most)",
        ]


class RandomRoundingCounter:
    """Counts what random rounding says of case after case, for the summary."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.sigmas = self.quantile = 0.0
        self._widths = Precision()

    def add(self, dtype: str, banded: BandedJudgement, tensors: Sequence[Tensor] | None = None) -> None:
        """Count a case. ``tensors`` as for `Precision.add`."""
        self.verdicts[banded.verdict] += 1
        if banded.verdict == "within":
            self.sigmas = max(self.sigmas, banded.sigmas)
        self.quantile = max(self.quantile, banded.quantile)
        self._widths.add(dtype, banded.widths, tensors)

    def summary(self, false_alarm: float) -> RandomRoundingSummary | None:
        """Return what was counted; None where nothing was."""
        if not self.verdicts:
            return None
        return RandomRoundingSummary(
            false_alarm,
            self.verdicts["within"],
            self.verdicts["in doubt"],
            self.verdicts["rounding"],
            self.sigmas,
            self.quantile,
            self._widths.summary(),
        )
