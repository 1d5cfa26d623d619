"""`anomalyclip serve`: the options of the server; `anomalyclip.serve` runs it."""

from __future__ import annotations

import os
from pathlib import Path

from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given, verb
from anomalyclip.cli._opening import load_detector, reading_of
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.names import printable

KEY_VARIABLE = "ANOMALYCLIP_API_KEY"


@verb("serve", epilog=f"The API key comes from --api-key-file or the variable {KEY_VARIABLE}; without one all may ask.")
def app(given: Given) -> None:
    """Answer over HTTP: a web page at /, POST /v1/detect, OpenAPI at /openapi.json, Prometheus at /metrics.

    SIGTERM finishes what was accepted, then ends.
    """
    key = _api_key(given.api_key_file)
    _need_extra()
    from anomalyclip.calibration import read_profiles
    from anomalyclip.calibration.files import carried_profile
    from anomalyclip.io.isolation import lacking
    from anomalyclip.serve import Limits, ServeConfig, bind
    from anomalyclip.serve import serve as run
    from anomalyclip.serve.foreign import hosts_for

    profiles = [found for path in given.profile or () for found in read_profiles(path).values()]
    if not profiles and (carried := carried_profile(given.model)) is not None:
        profiles = [carried]
    if given.live is not None and not given.live.is_dir():
        raise InputError(f"--live {printable(given.live)} is no folder: expected the --output of anomalyclip watch")
    memory = given.memory_mb * 1_000_000 if given.memory_mb is not None else None
    limits = Limits(max_pixels=given.max_pixels, work_seconds=given.max_seconds, memory=memory, **given.part("limits"))
    door = bind(given.host, given.port)
    if (told := lacking()) is not None:
        note(told, style="yellow")
    detector = load_detector(given)
    config = ServeConfig(
        limits=limits,
        batch_size=given.batch_size or (4 if detector.device == "cpu" else 16),
        batch_wait=given.batch_wait / 1000,
        workers=given.workers,
        api_key=key,
        drain_seconds=given.drain,
        reading=reading_of(given),
        profile=profiles[0].name if len(profiles) == 1 else None,
        hosts=hosts_for(given.host, given.allow_host or ()),
        live=given.live,
        keep=given.keep,
        **given.part("rules"),
    )
    run(
        detector,
        config,
        profiles,
        door=door,
        log_level=given.log_level,
        on_started=lambda at: _greet(given.host, at),
    )


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

    wanted = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_swagger")
    missing = [name for name in wanted if not find_spec(name)]
    if missing:
        raise ConfigError(f"serving needs {', '.join(missing)}: pip install 'anomalyclip[serve]'")
