"""When the native runtime is asked for, and when it is chosen for int8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import AnomalyClipError, ConfigError

if TYPE_CHECKING:
    from anomalyclip.encoders.formats import Precision
    from anomalyclip.runtime.native_detector import NativeDetector


def open_native(
    loading: Mapping[str, Any], precision: Precision | None, *, device: str, threads: int | None, compiled: bool = False
) -> NativeDetector:
    """Load a model for the native runtime.

    Args:
        loading: keywords of :func:`anomalyclip.load`, without device and threads.

    Raises:
        ConfigError: another precision than int8, another device than the CPU, or one of the reasons of
            :class:`anomalyclip.runtime.native_encoder.NativeEncoder`. And what loading raises.
    """
    if precision not in (None, "int8"):
        raise ConfigError(
            f"the native runtime computes in int8, not in {precision}; leave --precision out, or use --runtime torch"
        )
    if device.partition(":")[0] not in ("auto", "cpu"):
        raise ConfigError(f"the native runtime runs on the CPU, not on {device!r}; leave --device out, or use torch")
    if compiled:
        raise ConfigError("only the torch runtime is compiled by torch; leave compile out for native")
    from anomalyclip.model import load
    from anomalyclip.native import why_not
    from anomalyclip.runtime.native_detector import NativeDetector
    from anomalyclip.runtime.native_encoder import ELSEWHERE

    if reason := why_not("vnni"):  # before a gigabyte is loaded
        raise ConfigError(f"{reason}. {ELSEWHERE}")
    return NativeDetector(load(**loading, device="cpu", threads=threads), owned=True)


def prefers_native(loading: Mapping[str, Any]) -> bool:
    """Whether int8 is fastest with our kernels: they can run here, and the whole vision tower is blocks for them.

    A convolutional stem stays in float here and is quantised by OpenVINO. Reads the header of the weights, no more.
    """
    from anomalyclip.clip.formats import read_weights
    from anomalyclip.clip.weights import infer_config
    from anomalyclip.hub import meter, resolve_model
    from anomalyclip.native import why_not
    from anomalyclip.runtime.native_encoder import why_not_native

    if why_not("vnni") is not None:
        return False
    try:
        files = resolve_model(loading["model"], offline=loading.get("offline", False), meter=meter)
        vision = infer_config(read_weights(files.weights)).vision
    except AnomalyClipError:  # a conversion may be there without the weights; else loading says the same again
        return False
    return vision.stem is None and why_not_native(vision) is None
