"""Findings and reports as HTML: a page that stands alone, and its parts for a notebook; drawings are inline SVG.

It takes plain data, as ``Report.with_entries`` gives, so a report can be drawn without its target. Jinja2 escapes
what a target's name or an error message holds; it is an optional dependency, imported on first use.
"""
