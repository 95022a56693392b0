"""Cases: recipes for parameters and batches, the arrays they stand for, and the strategy that draws them.

May import: evaluate, reference.
"""
