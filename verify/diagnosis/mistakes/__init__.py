"""The catalogue of mistakes: wrong gradients of a multilayer perceptron, each with its formula and its story.

It serves twice. As mutants, its entries measure what the oracle sees; as hypotheses, they explain a failure.
"""

from verify.diagnosis.mistakes.catalogue import CATALOGUE, formulas
from verify.diagnosis.mistakes.mistake import Mistake, compatible, wrong_gradient

__all__ = ["CATALOGUE", "Mistake", "compatible", "formulas", "wrong_gradient"]
