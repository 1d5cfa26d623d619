"""What every file that `--prompts` may name says about itself, whatever it was learned by; read without torch."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.settings import Preset
from anomalyclip.settings.scoring import check_deciding
from anomalyclip.version import __version__

METADATA_KEY = "anomalyclip.prompts"  # where prompt files keep it
LINEAR_KEY = "anomalyclip.vand"  # where files of the baseline VAND, which hold no prompts, do
HEADS_KEY = "anomalyclip.heads"  # and those of learned heads


@dataclass(frozen=True, kw_only=True)
class PromptMetadata(Preset):
    """Everything a prompt file says about itself besides its tensors and :class:`PromptSettings`.

    ``None`` means "not recorded". Besides the attributes below it holds the settings that come with the prompts, those
    of :class:`anomalyclip.settings.Preset`.

    Attributes:
        backbone: name of the CLIP the prompts were learned on.
        weights_sha256: content hash of that CLIP's weights (``anomalyclip.clip.weights.weights_hash``).
        text_width: D, width of the text tower.
        embed_dim: E, width of the shared embedding.
        training: what the prompts were learned from (data set names, counts, seed, recipe ...); JSON values.
        method: how they were learned: "anomalyclip", or a baseline's name.
        version: of the package that wrote the file.
        created: ISO 8601 time, given by the caller so that files can be reproduced.
    """

    backbone: str | None
    weights_sha256: str | None
    text_width: int
    embed_dim: int | None
    training: dict[str, Any] = field(default_factory=dict)
    method: str = "anomalyclip"
    version: str = __version__
    created: str | None = None

    @property
    def preset(self) -> Preset:
        """The settings that come with the prompts."""
        return Preset(**{one.name: getattr(self, one.name) for one in fields(Preset)})


def check_ranges(metadata: PromptMetadata, path: str) -> None:
    """Raises PromptError for values that would otherwise fail far from their cause."""
    for width in (metadata.text_width, metadata.embed_dim):
        if width is not None and width < 1:
            raise PromptError(f"the metadata of {path} is out of range: a width is {width}, expected at least 1")
    try:
        check_deciding(vars(metadata.preset))
    except ConfigError as error:
        raise PromptError(f"the metadata of {path} is not usable: {error}") from error
