"""Griffe extension: what docstrings say in reStructuredText becomes Markdown.

Examples (`>>>` up to an empty line) become fenced code, to Markdown they are quotes; roles such as
:meth:`run` become `run`.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^(?P<indent> *)>>> .*(?:\n(?! *$).+)*", re.MULTILINE)


_ROLE = re.compile(r":(?:meth|class|func|mod|attr|data|exc|obj):`~?([^`]+)`")


class FenceDoctests(griffe.Extension):
    """Put every block of examples between fences, as deep as it stands, and take off roles."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"`\1`", fenced(obj.docstring.value))


def fenced(text: str) -> str:
    return _EXAMPLE.sub(lambda found: f"{found['indent']}```pycon\n{found[0]}\n{found['indent']}```", text)
