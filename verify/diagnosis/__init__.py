"""Diagnosis: which mistake explains a failure, where it is, and the lines that reproduce it.

May import: evaluate, reference, case, subject, checks. Its catalogue, `mistakes`, may import reference alone.
"""
