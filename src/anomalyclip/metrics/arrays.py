"""From what users hold (tensors, arrays, lists) to checked NumPy arrays. Nothing here imports torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import ArrayLike

    Values: TypeAlias = ArrayLike | torch.Tensor | Sequence[ArrayLike | torch.Tensor]

ScoreArray: TypeAlias = NDArray[np.floating[Any]]
FloatArray: TypeAlias = NDArray[np.float64]
BoolArray: TypeAlias = NDArray[np.bool_]


def as_array(values: Any, name: str) -> NDArray[Any]:
    """Convert a tensor, array or (nested) list to a numeric NumPy array; tensors are detached and moved to the CPU."""
    if hasattr(values, "detach"):  # a torch tensor, recognised by its methods: importing torch costs a second
        values = values.detach().cpu()
        values = values.float() if str(values.dtype) == "torch.bfloat16" else values  # NumPy has no bfloat16
        return np.asarray(values.numpy())
    if isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        values = [as_array(value, name) for value in values]
    try:
        array = np.asarray(values)
    except (TypeError, ValueError) as error:
        raise InputError(f"`{name}` cannot be read as an array of numbers: {error}") from error
    if array.size and array.dtype.kind not in "buif":
        raise InputError(f"`{name}` must hold real numbers, got an array of type {array.dtype}; convert it to floats.")
    return array


def checked_pairs(preds: Values, target: Values) -> Iterator[tuple[ScoreArray, BoolArray]]:
    """Yield (scores, labels) of equal shape; a list of arrays yields one pair per element, so sizes may differ.

    Raises:
        InputError: shapes or lengths differ, a score is not finite, or a label is neither 0 nor 1.
    """
    if _is_list_of_arrays(preds) != _is_list_of_arrays(target):
        preds, target = as_array(preds, "preds"), as_array(target, "target")
    if _is_list_of_arrays(preds):
        many_preds, many_targets = list(preds), list(target)  # type: ignore[arg-type]
        if len(many_preds) != len(many_targets):
            raise InputError(f"`preds` lists {len(many_preds)} arrays but `target` lists {len(many_targets)}.")
        for one_preds, one_target in zip(many_preds, many_targets, strict=True):
            yield _checked_pair(one_preds, one_target)
    else:
        yield _checked_pair(preds, target)


def checked_maps(preds: Values, target: Values) -> Iterator[tuple[ScoreArray, BoolArray]]:
    """Yield (anomaly map, mask), both (H, W), from (H, W), (B, H, W), (B, 1, H, W) or a list of any of these."""
    for scores, labels in checked_pairs(preds, target):
        if scores.ndim not in (2, 3):
            raise InputError(
                f"Anomaly maps must be (H, W), (B, H, W) or (B, 1, H, W), got an array of shape {scores.shape}."
            )
        yield from zip(scores, labels, strict=True) if scores.ndim == 3 else [(scores, labels)]


def _is_list_of_arrays(values: Any) -> bool:
    """True for a list of arrays or tensors with axes of their own; (nested) lists of plain numbers are one array."""
    return isinstance(values, list | tuple) and len(values) > 0 and getattr(values[0], "ndim", 0) > 0


def _checked_pair(preds: Any, target: Any) -> tuple[ScoreArray, BoolArray]:
    scores, labels = _drop_channel(as_array(preds, "preds")), _drop_channel(as_array(target, "target"))
    if scores.shape != labels.shape:
        raise InputError(f"`preds` has shape {scores.shape} but `target` has shape {labels.shape}; they must be equal.")
    return _as_scores(scores), _as_labels(labels)


def _drop_channel(array: NDArray[Any]) -> NDArray[Any]:
    """(B, 1, H, W) -> (B, H, W): data loaders keep a channel axis on masks and maps."""
    return array[:, 0] if array.ndim == 4 and array.shape[1] == 1 else array


def _as_scores(array: NDArray[Any]) -> ScoreArray:
    """Floats of at least 32 bits (exact for every narrower type), all finite."""
    wanted = np.float32 if array.dtype == np.float16 else np.float64
    scores: ScoreArray = array if array.dtype in (np.float32, np.float64) else array.astype(wanted)
    # min and max see every NaN and infinity, and cost a fraction of isfinite over a whole map
    if scores.size and not (np.isfinite(scores.min()) and np.isfinite(scores.max())):
        nans, infinities = int(np.isnan(scores).sum()), int(np.isinf(scores).sum())
        raise InputError(
            f"`preds` must be finite: {nans} of {scores.size} scores are NaN and {infinities} are infinite; "
            "leave out the images they come from, or look for a division by zero in the model."
        )
    return scores


def _as_labels(array: NDArray[Any]) -> BoolArray:
    if array.dtype == np.bool_:
        return array
    labels: BoolArray = array != 0
    if array.size and not np.array_equal(array, labels):
        odd = array[labels & (array != 1)].flat[0]
        raise InputError(
            f"`target` must hold 0 (normal) and 1 (anomalous), or booleans; found {odd}. "
            "For a mask stored as 0/255 pass `mask > 0`."
        )
    return labels
