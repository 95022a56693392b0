"""Checks: the questions put to a gradient function, one case at a time.

May import: evaluate, reference, case, subject.
"""
