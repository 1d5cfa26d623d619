"""`anomalyclip serve`: the options of the server; `anomalyclip.serve` runs it."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anomalyclip.cli import _model_options as options
from anomalyclip.cli._checks import check_device, check_ranges, parse_layers
from anomalyclip.cli._console import note
from anomalyclip.cli._runtime_options import PrecisionOption, Runtime, RuntimeOption, chosen, load_detector
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.runtime.opening import AnyDetector

KEY_VARIABLE = "ANOMALYCLIP_API_KEY"


class LogLevel(str, Enum):
    """What is logged, from most to least."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

_DECIDING, _LIMITS = "Decisions", options.SPEED


@app.command(epilog=f"The API key comes from --api-key-file or the variable {KEY_VARIABLE}; without one all may ask.")
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one.")] = 8000,
    api_key_file: Annotated[
        Path | None, typer.Option(help="Ask everything below /v1 for the key in this file.", show_default=False)
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="Logs are JSON lines on stderr.")] = LogLevel.info,
    model: options.Model = "pocket",
    prompts: options.Prompts = None,
    class_name: options.ClassName = "object",
    device: options.Device = "auto",
    layers: options.Layers = None,
    image_size: options.ImageSize = None,
    sigma: options.Sigma = None,
    map_weight: options.MapWeight = None,
    offline: options.Offline = False,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Anomalous from this image score on, where a request says nothing.",
            rich_help_panel=_DECIDING,
            show_default=False,
        ),
    ] = None,
    pixel_threshold: Annotated[
        float | None,
        typer.Option(
            help="Regions from this map value on; default: --threshold.", rich_help_panel=_DECIDING, show_default=False
        ),
    ] = None,
    profile: Annotated[
        list[str] | None,
        typer.Option(
            help="A file or folder of `anomalyclip calibrate`; may be given several times. A single profile is used "
            "where a request names none.",
            rich_help_panel=_DECIDING,
            show_default=False,
        ),
    ] = None,
    min_area: Annotated[int, typer.Option(help="Leave out regions with fewer pixels.", rich_help_panel=_DECIDING)] = 1,
    batch_size: Annotated[
        int | None,
        typer.Option(
            help="Images that share a forward pass at most (default: 16 on a GPU, 4 on a CPU).",
            rich_help_panel=_LIMITS,
            show_default=False,
        ),
    ] = None,
    batch_wait: Annotated[
        float, typer.Option(help="Milliseconds that an image waits for others.", rich_help_panel=_LIMITS)
    ] = 5.0,
    workers: options.Workers = 2,
    threads: options.Threads = None,
    runtime: RuntimeOption = Runtime.auto,
    precision: PrecisionOption = None,
    queue: Annotated[int, typer.Option(help="Images waiting at once; beyond it 429.", rich_help_panel=_LIMITS)] = 64,
    max_files: Annotated[int, typer.Option(help="Images in one request.", rich_help_panel=_LIMITS)] = 32,
    max_bytes: Annotated[int, typer.Option(help="Bytes of one request's body.", rich_help_panel=_LIMITS)] = 64 * 2**20,
    max_pixels: Annotated[
        int, typer.Option(help="Refuse images with more pixels.", rich_help_panel=_LIMITS)
    ] = 50_000_000,
    max_seconds: Annotated[
        float, typer.Option(help="From a complete request to its answer; beyond it 503.", rich_help_panel=_LIMITS)
    ] = 60.0,
    drain: Annotated[
        float,
        typer.Option(help="Seconds between SIGTERM and taking no more requests.", rich_help_panel=_LIMITS),
    ] = 2.0,
) -> None:
    """Answer over HTTP: a web page at /, POST /v1/detect, OpenAPI at /openapi.json, Prometheus at /metrics.

    SIGTERM finishes what was accepted, then ends.
    """
    check_ranges(
        {
            "--threshold": threshold,
            "--pixel-threshold": pixel_threshold,
            "--min-area": min_area,
            "--image-size": image_size,
            "--sigma": sigma,
            "--map-weight": map_weight,
            "--batch-size": batch_size,
            "--batch-wait": batch_wait,
            "--workers": workers,
            "--threads": threads,
            "--port": port,
            "--queue": queue,
            "--max-files": max_files,
            "--max-bytes": max_bytes,
            "--max-pixels": max_pixels,
            "--max-seconds": max_seconds,
            "--drain": drain,
        }
    )
    key = _api_key(api_key_file)
    _need_extra()
    from anomalyclip.calibration import read_profiles
    from anomalyclip.serve import Limits, ServeConfig, bind
    from anomalyclip.serve import serve as run

    profiles = [found for path in profile or () for found in read_profiles(path).values()]
    limits = Limits(
        max_bytes=max_bytes, max_pixels=max_pixels, max_files=max_files, queue=queue, work_seconds=max_seconds
    )
    door = bind(host, port)
    detector = _load(
        model=model,
        prompts=prompts,
        class_name=class_name,
        device=check_device(device),
        layers=parse_layers(layers),
        image_size=image_size,
        sigma=sigma,
        map_weight=map_weight,
        threads=threads,
        **chosen(runtime, precision),
        offline=offline,
    )
    on_gpu = detector.device.type != "cpu"
    config = ServeConfig(
        limits=limits,
        batch_size=batch_size or (16 if on_gpu else 4),
        batch_wait=batch_wait / 1000,
        workers=workers,
        api_key=key,
        drain_seconds=drain,
        threshold=threshold,
        pixel_threshold=pixel_threshold,
        min_area=min_area,
        profile=profiles[0].name if len(profiles) == 1 else None,
    )
    run(
        detector,
        config,
        profiles,
        door=door,
        log_level=log_level.value,
        on_started=lambda at: _greet(host, at),
    )


def _load(**loading: Any) -> AnyDetector:
    import cv2

    cv2.setNumThreads(1)  # the worker threads are the parallelism
    return load_detector(loading)


def _greet(host: str, port: int) -> None:
    shown = f"[{host}]" if ":" in host else {"0.0.0.0": "127.0.0.1"}.get(host, host)
    note(f"Listening. Open http://{shown}:{port}/ in a browser; Ctrl-C ends.")


def _api_key(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(KEY_VARIABLE) or None
    try:
        key = file.read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise InputError(f"--api-key-file {printable(file)} cannot be read: {error}; give a text file") from error
    if not key:
        raise ConfigError(f"--api-key-file {printable(file)} is empty; make a key with: openssl rand -hex 16")
    return key


def _need_extra() -> None:
    from importlib.util import find_spec

    missing = [name for name in ("fastapi", "uvicorn", "python_multipart", "prometheus_client") if not find_spec(name)]
    if missing:
        raise ConfigError(f"serving needs {', '.join(missing)}: pip install 'anomalyclip[serve]'")
