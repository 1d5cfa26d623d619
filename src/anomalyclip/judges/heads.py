"""Heads: two learned vectors for the picture and two for the patches of every layer, in place of two text embeddings.

Nothing ties them to words or to each other: what tells a damaged picture from a good one need not be what tells a
damaged patch from its neighbours, nor the same in every layer. They are scored as words are (METHOD section 5).
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from anomalyclip.errors import ConfigError
from anomalyclip.io.names import printable
from anomalyclip.judges.text import TextEmbeddings
from anomalyclip.judges.words import Words

if TYPE_CHECKING:
    from typing_extensions import Self

    from anomalyclip.prompts.heads import HeadsFile
    from anomalyclip.settings import ModelSettings


class Heads(Words):
    """:class:`Words` whose pair for the picture and pairs for the layers were learned.

    Where the file has a read-out of a stem's stages, it has its share in the picture's score, beside the class token.

    Args:
        file: the vectors.
        settings: as for words; ``layers`` may be some of the file's.
        name: what results call them.

    Raises:
        ConfigError: a layer that the file has no vectors of.
    """

    def __init__(self, file: HeadsFile, settings: ModelSettings, name: str) -> None:
        known = {layer: row for row, layer in enumerate(file.layers)}
        own = file.patches is not None
        if missing := [layer for layer in settings.layers if own and layer not in known]:
            raise ConfigError(
                f"the heads {printable(name)} were learned for the layers {', '.join(map(str, file.layers))}, not for "
                f"{', '.join(map(str, missing))}: leave layers out, or train heads with --layers"
            )
        super().__init__(TextEmbeddings(file.image, name, file.sha256, file.metadata.method), settings)
        if file.patches is not None:
            self.local = file.patches[[known[layer] for layer in settings.layers]]
        self.readout = file.readout

    def with_text(self, text: TextEmbeddings) -> Self:
        """Another pair for the picture; those of the patches stay."""
        other = copy.copy(self)
        other.text = text
        return other
