"""File names as they may be shown: always one line, always encodable."""

from __future__ import annotations

import os
import re

StrPath = str | os.PathLike[str]


def printable(path: StrPath | bytes | os.PathLike[bytes]) -> str:
    """The path as one line of valid Unicode, for messages, tables and logs.

    A name on disk may hold bytes that are no UTF-8 and control characters such as line ends; both are shown as
    backslash escapes, so that a message stays one line and printing it never fails.

    >>> printable("scan\\n01.png")
    'scan\\\\n01.png'
    >>> printable(b"caf\\xe9.png")
    'caf\\\\xe9.png'
    >>> printable("\\ud800.png")
    '\\\\ud800.png'
    """
    try:
        text = os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a surrogate pair, as JSON may write it and no disk has it
        text = str(path).encode("utf-8", "backslashreplace").decode()
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def is_address(path: StrPath) -> bool:
    """Whether a path that leads nowhere is an address of the web or a store, also as paths collapse it.

    >>> [is_address(one) for one in ("https://a/b.png", "/home/s3:/bucket/x", "file:///a.png", "C:/a.png", "a:b.png")]
    [True, True, True, False, False]
    """
    return re.search(r"(?:^|/)[A-Za-z][A-Za-z0-9+.-]+:/", os.fspath(path)) is not None
