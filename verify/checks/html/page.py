"""Templates filled with plain data: a whole page, or a part of one for a notebook."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from verify.checks.html import in_words, svg_charts, svg_maps, svg_network
from verify.checks.html.mathml import formula_as_mathml

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def page_templates() -> Environment:
    """Return the templates of the page, with everything that is put into them escaped.

    Raises
    ------
    ModuleNotFoundError
        Where Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("HTML needs Jinja2: pip install jinja2", name=error.name) from error
    templates = Environment(
        loader=PackageLoader("verify.checks.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals.update(
        formula_as_mathml=formula_as_mathml,
        **{
            name: getattr(module, name)
            for module in (in_words, svg_charts, svg_maps, svg_network)
            for name in module.__all__
        },
    )
    return templates


def html_page(report: Mapping[str, Any], text: str, mistakes: Mapping[str, Mapping[str, str]]) -> str:
    """Return a report as an HTML page that stands alone.

    Parameters
    ----------
    report
        Plain data: ``Report.with_entries()``.
    text
        The report as text.
    mistakes
        For the names of mistakes in the findings, their fields ``family``, ``wrong``, ``right`` and ``story``.
    """
    return page_templates().get_template("page.html").render(report=report, text=text, mistakes=mistakes)


def html_part(name: str, **data: Any) -> str | None:
    """Return one part of the page for a notebook: ``report``, ``finding`` or ``diagnosis``; None without Jinja2."""
    try:
        templates = page_templates()
    except ModuleNotFoundError:
        return None
    return templates.get_template("part.html").render(part=f"{name}.html", **data)
