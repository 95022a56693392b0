"""Sphinx: the pages of this folder, and the API reference from the docstrings.

pip install -e '.[docs]' && python -m sphinx -W -b html docs docs/_build
"""

from importlib import metadata

project = "mlp_ref and verify"
author = "The mlp_ref developers"
release = metadata.version("mlp-ref")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project

default_role = (
    "py:obj"  # a name in single backticks is a link to what it names, where that is in the reference
)
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # signatures stay readable; the docstrings give shapes and units
napoleon_google_docstring = False
napoleon_use_ivar = True
myst_heading_anchors = 3
# The tour runs whenever the pages are built: what it shows is what the code does. An error in it fails the build.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
suppress_warnings = ["myst.xref_missing"]  # links out of the folder, to files of the repository
