"""The authors' checkpoints: ``torch.save({"prompt_learner": state_dict})``, read without running anything in them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anomalyclip.clip.foreign import foreign
from anomalyclip.clip.pickles import check_archive
from anomalyclip.clip.wrappings import bare, unwrap
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.prompts.bounded import MAX_BYTES, read_bounded, write_file
from anomalyclip.prompts.content import CTX_NAMES, DEEP_PREFIX, PromptFile
from anomalyclip.prompts.learner import PromptLearner
from anomalyclip.prompts.metadata import PromptMetadata
from anomalyclip.prompts.settings import PromptSettings

TOP_KEY = "prompt_learner"
_INSIDE = f"{TOP_KEY}."  # where a module that holds the learner was saved whole
PROJECTION_PREFIX = "compound_prompt_projections."
PROJECTION_WIDTH = 896
_FIXED = tuple(
    f"{name}_{side}" for name in ("token_prefix", "token_suffix", "tokenized_prompts") for side in ("pos", "neg")
)
_DEEP = re.compile(re.escape(DEEP_PREFIX) + r"\d{1,3}")
_PROJECTION = re.compile(re.escape(PROJECTION_PREFIX) + r"\d+\.(weight|bias)")
MAX_NUMBERS = MAX_BYTES // 4

# ViT-L/14@336 (text width 768) is the only backbone the authors published prompts for: preset of METHOD section 5.
_VIT_L_WIDTH = 768
_VIT_L_PRESET = {"embed_dim": 768, "layers": (24,), "image_size": 518, "dpam_blocks": 19}


def read_published(
    path: str | Path,
    *,
    normal_words: str = PromptSettings.normal_words,
    abnormal_words: str = PromptSettings.abnormal_words,
    round_deep_to_half: bool = True,
) -> PromptFile:
    """Read an authors' ``.pth``; lengths and depth come from the tensors' shapes.

    Args:
        path: the checkpoint.
        normal_words: the words it was trained with; files by the authors all say ``object.``.
        abnormal_words: the same for the abnormal prompt.
        round_deep_to_half: as the reference does at inference; published numbers need it.

    Raises:
        PromptError: not such a file, unsafe content, or keys and shapes that do not fit (all of them listed).
    """
    return parse_published(read_bounded(path), str(path), normal_words, abnormal_words, round_deep_to_half)


def parse_published(
    data: bytes,
    path: str,
    normal_words: str = PromptSettings.normal_words,
    abnormal_words: str = PromptSettings.abnormal_words,
    round_deep_to_half: bool = True,
) -> PromptFile:
    """:func:`read_published` for bytes already in memory; ``path`` is for messages."""
    return from_state(_unpack(data, path), path, normal_words, abnormal_words, round_deep_to_half)


def from_state(
    named: dict[str, Tensor],
    path: str,
    normal_words: str = PromptSettings.normal_words,
    abnormal_words: str = PromptSettings.abnormal_words,
    round_deep_to_half: bool = True,
) -> PromptFile:
    """The same for the tensors of such a checkpoint, by their names."""
    state = _check_keys(named, path)
    n_ctx, width = _matrix(state["ctx_pos"], path, "ctx_pos")
    deep = [f"{DEEP_PREFIX}{index}" for index in range(sum(name.startswith(DEEP_PREFIX) for name in state))]
    deep_length = _matrix(state[deep[0]], path, deep[0])[0] if deep else 1
    try:
        settings = PromptSettings(n_ctx, 1 + len(deep), deep_length, normal_words, abnormal_words, round_deep_to_half)
    except ConfigError as error:
        raise PromptError(f"the tensors of {path} describe no valid prompts: {error}") from error
    ids, embeddings = _fixed_tokens(state, n_ctx, width, path)
    preset: dict[str, Any] = _VIT_L_PRESET if width == _VIT_L_WIDTH else {"embed_dim": None}
    return PromptFile(
        kind="published",
        settings=settings,
        metadata=PromptMetadata(
            backbone=None,
            weights_sha256=None,
            text_width=width,
            training={"source": "checkpoint in the format of the AnomalyCLIP authors"},
            **preset,
        ),
        tensors={name: state[name].float().contiguous() for name in (*CTX_NAMES, *deep)},
        token_ids=ids,
        token_embeddings=embeddings,
        path=path,
    )


def save_published(path: str | Path, learner: PromptLearner) -> None:
    """Write ``learner`` as the authors' code reads it (``load_state_dict``, strict).

    Their prompt learner also owns projections it never uses; zeros of the right shape stand in for them.

    Raises:
        OutputError: the file cannot be written.
    """
    state = {name: value.detach().cpu().clone() for name, value in learner.state_dict().items()}
    for name in state:
        if name.startswith("tokenized_prompts"):
            state[name] = state[name].to(torch.int32)
    width = learner.ctx_pos.shape[-1]
    for index in range(learner.settings.n_deep):
        state[f"{PROJECTION_PREFIX}{index}.weight"] = torch.zeros(PROJECTION_WIDTH, width)
        state[f"{PROJECTION_PREFIX}{index}.bias"] = torch.zeros(PROJECTION_WIDTH)
    buffer = io.BytesIO()
    torch.save({TOP_KEY: state}, buffer)
    write_file(path, buffer.getvalue())


def _unpack(data: bytes, path: str) -> dict[str, Tensor]:
    """The state dict, after the archive and its pickle were looked at without being run."""
    try:
        check_archive(io.BytesIO(data), len(data), path, PromptError, most_members=1000, most_pickle=2**20)
        loaded: Any = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except PromptError:
        raise
    except zipfile.BadZipFile as error:
        raise PromptError(f"{path} is cut short or damaged: a ZIP archive without its end; fetch it again") from error
    except Exception as error:  # whatever a hostile file makes a parser say, it ends here
        raise PromptError(
            f"{path} is damaged, or holds more than tensors ({_first_line(error)}); fetch it again"
        ) from error
    state = _state(loaded)
    if not state:
        raise PromptError(f"{path} does not hold {{{TOP_KEY!r}: state_dict}}; {_instead(loaded)}")
    if sum(value.numel() for value in state.values() if isinstance(value, Tensor)) > MAX_NUMBERS:
        # views may claim far more numbers than their storage holds
        raise PromptError(f"{path} holds more than {MAX_NUMBERS} numbers, published prompts hold 6 million")
    odd = [str(name)[:80] for name, value in state.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if odd:
        raise PromptError(f"{path} holds things that are not named tensors: {', '.join(odd[:8])}")
    return state


def _instead(loaded: Any) -> str:
    """What a checkpoint is that is not the authors', and the remedy."""
    names = unwrap(loaded, lambda value: isinstance(value, Tensor))
    if any(name.startswith("visual.") for name in names):
        return "it holds the weights of a CLIP; give it as --model"
    return foreign(names) or "expected a checkpoint of the AnomalyCLIP authors"


def learned(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The prompt learner's tensors among others, by its own names; {} where there are none."""
    inside = {name.removeprefix(_INSIDE): value for name, value in state.items() if name.startswith(_INSIDE)}
    state = inside or state
    return state if any(name in CTX_NAMES for name in state) else {}


def _state(loaded: Any) -> dict[str, Any]:
    """The learner's state dict, out of what training wraps around it."""
    if isinstance(loaded, dict) and isinstance(loaded.get(TOP_KEY), dict):
        inner: dict[str, Any] = loaded[TOP_KEY]
        return bare(inner) if all(isinstance(name, str) for name in inner) else inner
    return learned(unwrap(loaded, lambda value: isinstance(value, Tensor)))


def _check_keys(state: dict[str, Tensor], path: str) -> dict[str, Tensor]:
    """Without the unused projections; raises a :class:`PromptError` that lists missing and unknown keys."""
    deep = [name for name in state if _DEEP.fullmatch(name)]
    known = {*CTX_NAMES, *_FIXED, *(f"{DEEP_PREFIX}{index}" for index in range(len(deep)))}
    kept = {name: value for name, value in state.items() if not _PROJECTION.fullmatch(name)}
    missing, unknown = sorted(known - set(kept)), sorted(set(kept) - known)
    if missing or unknown:
        raise PromptError(
            f"{path} is not a prompt checkpoint of the AnomalyCLIP authors: missing {_listed(missing)};"
            f" unknown {_listed(unknown)}"
        )
    return kept


def _fixed_tokens(state: dict[str, Tensor], n_ctx: int, width: int, path: str) -> tuple[Tensor, Tensor]:
    """Ids (2, C) and embeddings (2, C - n_ctx, D) of the fixed tokens."""
    length = state["tokenized_prompts_pos"].shape[-1] if state["tokenized_prompts_pos"].dim() else 0
    tail = length - 1 - n_ctx
    shapes = {
        "token_prefix": (1, 1, 1, width),
        "token_suffix": (1, 1, tail, width),
        "tokenized_prompts": (1, 1, length),
    }
    wrong = [
        f"{name} {tuple(state[name].shape)} instead of {shapes[name[:-4]]}"
        for name in _FIXED
        if tuple(state[name].shape) != shapes[name[:-4]]
    ]
    if wrong or tail < 2:
        raise PromptError(
            f"{path} has tensors of wrong shape: {_listed(wrong) if wrong else 'no room after the prompts'}"
        )
    ids = torch.cat([state["tokenized_prompts_pos"][0], state["tokenized_prompts_neg"][0]])
    if ids.is_floating_point() or ids.is_complex():
        raise PromptError(f"{path} has token ids of type {ids.dtype} instead of whole numbers")
    rows = [torch.cat([state[f"token_prefix_{side}"], state[f"token_suffix_{side}"]], dim=2) for side in ("pos", "neg")]
    return ids.long(), torch.cat(rows)[:, 0].float().contiguous()


def _matrix(value: Tensor, path: str, name: str) -> tuple[int, int]:
    """The last two sizes of a learned tensor."""
    if value.dim() < 2 or not value.is_floating_point():
        raise PromptError(
            f"{name} in {path} has shape {tuple(value.shape)} and type {value.dtype}; expected (..., n, width)"
        )
    return int(value.shape[-2]), int(value.shape[-1])


def _listed(names: list[str]) -> str:
    shown = ", ".join(name[:120] for name in names[:20]) or "nothing"
    return shown + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
