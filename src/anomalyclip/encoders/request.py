"""Which features of a frozen encoder a judge needs; two judges' needs join into one pass."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from anomalyclip.errors import ConfigError

FeatureKind = Literal["image", "patches", "tokens", "stages", "windows", "summaries", "verdict"]
#: fields that say how the input is computed with
SETTINGS = ("dpam", "dpam_blocks", "post_norm_class")
#: fields that say how, not what
PATHS = (*SETTINGS, "glance")
KINDS: tuple[FeatureKind, ...] = ("image", "patches", "tokens", "stages", "windows", "summaries", "verdict")


@dataclass(frozen=True, repr=False)
class FeatureRequest:
    """What is asked for, layer by layer (numbered from 1).

    Attributes:
        image: the global feature: the class token after the last block, projected.
        patches: layers of the local path (METHOD section 3), through LN_post and projected.
        tokens: layers of the original path, as the blocks leave them: neither LN_post nor projection.
        stages: stages of a convolutional stem, before anything else is done to them.
        windows: sides in patches of square windows (stride 1), each seen alone and summed up by its class token.
        summaries: stages of the stem, of each channel the mean, deviation and maximum over all places alone.
        verdict: scores and maps that a graph computes itself, of the judge that is built into it.
        dpam: the local path's attention, "vv", "qq", "kk", or "qk" (plain CLIP); None where no patches are asked for.
        dpam_blocks: how many last blocks run two paths; None with ``patches`` is the encoder's default.
        post_norm_class: LN_post on the class token, of the image and of windows; None is False.
        glance: side in pixels of a smaller look that gives ``image`` and ``summaries`` (`anomalyclip.encoders.glance`);
            None is the input itself.
    """

    image: bool = False
    patches: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    stages: tuple[int, ...] = ()
    windows: tuple[int, ...] = ()
    summaries: tuple[int, ...] = ()
    verdict: bool = False
    dpam: str | None = None
    dpam_blocks: int | None = None
    post_norm_class: bool | None = None
    glance: int | None = None

    def __or__(self, other: FeatureRequest) -> FeatureRequest:
        """Both at once. Raises :class:`ConfigError` where they ask for one path in two ways."""
        joined: dict[str, Any] = {}
        for name in ("patches", "tokens", "stages", "windows", "summaries"):
            joined[name] = tuple(sorted({*getattr(self, name), *getattr(other, name)}))
        for name in PATHS:
            joined[name] = _same(name, getattr(self, name), getattr(other, name))
        return FeatureRequest(self.image or other.image, verdict=self.verdict or other.verdict, **joined)

    @property
    def kinds(self) -> tuple[FeatureKind, ...]:
        """What is asked for, by kind.

        >>> FeatureRequest(image=True, tokens=(6,)).kinds
        ('image', 'tokens')
        """
        return tuple(name for name in KINDS if getattr(self, name))

    def __repr__(self) -> str:
        told = [(each.name, getattr(self, each.name)) for each in fields(self)]
        named = (f"{name}={value!r}" for name, value in told if value not in (None, False, ()))
        return f"FeatureRequest({', '.join(named)})"


def _same(name: str, first: Any, second: Any) -> Any:
    if first is None or second is None or first == second:
        return second if first is None else first
    raise ConfigError(
        f"two judges ask one pass of the encoder for {name} {first!r} and {second!r}; give both the same, or run them "
        "one after the other"
    )
