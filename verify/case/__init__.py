"""Cases: recipes for parameters and batches, the arrays they stand for, and what draws them.

May import: evaluate, reference.
"""
