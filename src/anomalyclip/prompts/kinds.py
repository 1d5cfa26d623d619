"""Which of the files that `--prompts` may name a path is: prompts, VAND's linear layers, or heads."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.prompts.bounded import header_texts, read_bounded
from anomalyclip.prompts.files import load_prompts
from anomalyclip.prompts.heads import HeadsFile, load_heads
from anomalyclip.prompts.linear import LinearFile, load_linear
from anomalyclip.prompts.metadata import HEADS_KEY, LINEAR_KEY

if TYPE_CHECKING:
    from anomalyclip.prompts.content import PromptFile
    from anomalyclip.prompts.metadata import PromptMetadata


def load_any(path: str | Path) -> PromptFile | LinearFile | HeadsFile:
    """The file as what its header says it is. Raises :class:`PromptError`."""
    told = header_texts(read_bounded(path))
    if HEADS_KEY in told:
        return load_heads(path)
    return load_linear(path) if LINEAR_KEY in told else load_prompts(path)


def read_metadata(path: str | Path) -> PromptMetadata:
    """What a file of any method says about itself. Raises :class:`PromptError`."""
    return load_any(path).metadata
