"""The oracle: a search for a case that a gradient fails, and the report of what it found.

May import: evaluate, reference, case, subject, checks, diagnosis.
"""
