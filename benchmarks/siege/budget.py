"""Legal pictures that take as much memory as they may, many at once: no set of them may exceed the container's."""

from __future__ import annotations

import base64
import functools
import http.client
import io
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from outcome import Outcome
from PIL import Image
from server import MULTIPART, Server, at_once, form, running

_CLIENTS = 16
_SECONDS = 120.0
_GIVEN = (200, 429, 503)  # what a legal request may be answered with: a row that refuses a picture is a 200


def fill(memory_mb: int, scratch: Path, *, clients: int = _CLIENTS, seconds: float = _SECONDS) -> Outcome:
    """So many clients send the costliest legal pictures and calibrations of them, in `memory_mb` in all."""
    outcome, lock = Outcome(f"legal uploads in {memory_mb:,} MB"), threading.Lock()
    side = min(7070, int(7070 * (memory_mb / 4096) ** 0.5))
    pictures = _pictures(side)
    requests = [("/v1/detect?threshold=0.5", form((name, data)), MULTIPART) for name, data in pictures]
    requests += [("/v1/detect?threshold=0.5&maps=tiff16", form(pictures[1]), MULTIPART)]
    requests += [("/v1/detect", form(*pictures[:4]), MULTIPART)]
    requests += [("/v1/detect", _as_json(*pictures[2:5]), "application/json")]
    requests += [("/v1/calibrate?name=a&rate=0.2", form(*[pictures[0]] * 5), MULTIPART)]
    with running(memory_mb, outcome, "--image-size", "96") as server:
        end = time.monotonic() + seconds
        send = functools.partial(_send, server, requests, end, outcome, lock)
        at_once(clients, send)
    return outcome


def _send(
    server: Server,
    requests: list[tuple[str, bytes, str]],
    end: float,
    outcome: Outcome,
    lock: threading.Lock,
    number: int,
) -> None:
    turn = number
    while time.monotonic() < end:
        path, body, media_type = requests[turn % len(requests)]
        turn += 1
        problem = ""
        try:
            status, content, pause = server.ask(path, body, media_type)
            rows = content.get("results", [])
            told = [f"rows scored {sum(row['error'] is None for row in rows)}"] if rows else [f"answered {status}"]
            if status not in _GIVEN:
                problem = f"{path}: {status} {str(content)[:200]}"
        except (OSError, http.client.HTTPException, ValueError) as error:
            told, pause, problem = ["no answer"], 1.0, f"{path}: {type(error).__name__} {error}"
        with lock:
            outcome.times += 1
            for one in told:
                name, _, count = one.rpartition(" ") if one.startswith("rows") else (one, "", "1")
                outcome.counts[name] = outcome.counts.get(name, 0) + int(count)
            for row in rows if not problem else []:
                if row["error"] is not None:
                    outcome.counts["rows refused"] = outcome.counts.get("rows refused", 0) + 1
            if problem:
                outcome.note(problem)
        time.sleep(min(pause, 2.0))


def _pictures(side: int) -> list[tuple[str, bytes]]:
    """Flat ones, so that small files hold many pixels; and one whose file is large, too."""
    grey = np.full((side, side), 120, np.uint8)
    rgb = Image.fromarray(np.dstack([grey] * 3))
    deep = _png16(side)
    found: list[tuple[str, Callable[[], bytes]]] = [
        ("rgb-float64.tif", lambda: _tiff(np.full((side, side, 3), 120.0, np.float64))),
        ("rgb-uint32.tif", lambda: _tiff(np.full((side, side, 3), 120, np.uint32))),
        ("rgb.jpg", lambda: _saved(rgb, "JPEG")),
        ("progressive.jpg", lambda: _saved(rgb, "JPEG", progressive=True)),
        ("rgb.png", lambda: _saved(rgb, "PNG")),
        ("rgb.webp", lambda: _saved(rgb, "WEBP", quality=10, method=0)),
        ("rgb.jp2", lambda: _saved(rgb.resize((side // 2, side // 2)), "JPEG2000")),
        ("palette.gif", lambda: _saved(rgb.convert("P"), "GIF")),
        ("noise.bmp", lambda: _noise(min(side, 4200))),
    ]
    return [("rgba-uint16.png", deep), *((name, make()) for name, make in found)]


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _tiff(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", compression="zlib")
    return buffer.getvalue()


def _png16(side: int) -> bytes:
    import cv2

    return bytes(cv2.imencode(".png", np.full((side, side, 4), 30_000, np.uint16))[1])


def _noise(side: int) -> bytes:
    return _saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)), "BMP")


def _as_json(*files: tuple[str, bytes]) -> bytes:
    images = [{"name": name, "data": base64.b64encode(data).decode()} for name, data in files]
    return json.dumps({"images": images}).encode()
