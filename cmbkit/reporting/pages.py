"""Pages (HTML) from the templates beside this module; all share one style sheet."""

from __future__ import annotations

import base64
import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined


def render(template: str, **values) -> str:
    """Fill in a template; text is escaped unless the template says that it is HTML.

    Parameters
    ----------
    template : str
        A file in ``cmbkit/reporting/templates``.
    **values
        What the template names; one that it needs and does not get is an error.
    """
    return _environment().get_template(template).render(**values)


def data_uri(content: bytes, kind: str) -> str:
    """A file as the address of a picture within a page; ``kind`` such as "image/png"."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def anchor(name: str) -> str:
    """Name of a place in a page: "table-7-2" of "Table 7.2"."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("cmbkit.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"data_uri": data_uri, "anchor": anchor}
    return made
