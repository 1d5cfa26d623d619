"""What training leaves around a state dict, taken off in one place: for weights and prompts alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from anomalyclip.errors import WeightsError

Value = TypeVar("Value")

#: Names under which trainers store a state dict, beside optimiser and epoch; the first that holds one counts.
HOLDERS = ("state_dict", "model_state_dict", "model", "module", "checkpoint", "net", "weights")
#: Averages of the weights over training; taken where they are alone, refused beside the weights themselves.
AVERAGES = ("ema", "model_ema", "state_dict_ema", "ema_state_dict", "ema_model", "averaged_model")
_DEEPEST = 3
#: Segments that DataParallel, torch.compile, FSDP and Lightning put into names.
_ANYWHERE = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
_IN_FRONT = ("module.", "model.", "clip.", "net.", "_forward_module.", "ema_model.", "averaged_model.")
_COUNTERS = ("n_averaged",)  # that torch keeps beside an average


def unwrap(loaded: Any, is_leaf: Any) -> dict[str, Any]:
    """The innermost dict of tensors in what a checkpoint holds; {} where there is none.

    Args:
        loaded: what was unpickled.
        is_leaf: tells a tensor.

    Raises:
        WeightsError: the weights and their average over training are both there.

    >>> unwrap({"epoch": 3, "state_dict": {"module.a": 1.0}}, lambda value: isinstance(value, float))
    {'a': 1.0}
    """
    for _ in range(_DEEPEST):
        if not isinstance(loaded, Mapping) or any(is_leaf(value) for value in loaded.values()):
            break
        holders = [name for name in (*HOLDERS, *AVERAGES) if isinstance(loaded.get(name), Mapping) and loaded[name]]
        if any(name in HOLDERS for name in holders) and (average := [name for name in holders if name in AVERAGES]):
            raise WeightsError(
                f"it holds weights twice, as {holders[0]!r} and averaged over training as {average[0]!r}; save the one "
                "to use by itself"
            )
        nested = [name for name, value in loaded.items() if isinstance(value, Mapping) and value]
        if not holders and len(nested) != 1:
            break
        loaded = loaded[(holders or nested)[0]]
    if not isinstance(loaded, Mapping):
        return {}
    return bare({name: value for name, value in loaded.items() if isinstance(name, str)})


def bare(state: Mapping[str, Value]) -> dict[str, Value]:
    """The same values by names without what wrappers put in front of them or between.

    Where two names become one, all keep their own: nothing is dropped without a word.

    >>> bare({"module._orig_mod.visual.proj": 1})
    {'visual.proj': 1}
    """
    kept = {name: value for name, value in state.items() if name not in _COUNTERS}
    found = {bare_name(name): value for name, value in kept.items()}
    return found if len(found) == len(kept) else dict(state)


def bare_name(name: str) -> str:
    """One name without wrappers."""
    name = ".".join(part for part in name.split(".") if part not in _ANYWHERE)
    while name.startswith(_IN_FRONT):
        name = name.partition(".")[2]
    return name
