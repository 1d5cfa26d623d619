"""Bring one pinned file to its place: resume, retry, bound, verify, then rename. Callers hold the cache lock.

Nothing appears under the final name before its checksum holds, and a connection that is cut costs only what was
missing: the partial file stays beside the target with a note of what it is part of.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import random
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from anomalyclip.errors import HubError
from anomalyclip.hub.cache import sibling, write_stamp
from anomalyclip.hub.digests import mismatch
from anomalyclip.hub.http import StatusError, UnreachableError, get, mirrored
from anomalyclip.hub.progress import Meter, Report, human_size, silent
from anomalyclip.hub.registry import RemoteFile

_CHUNK = 2**18
_DISK_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_OTHERWISE = (
    "take another source (--source), a mirror (ANOMALYCLIP_MIRROR), or put the file there by hand"
    " (`anomalyclip models pull NAME --offline` says where)"
)
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How often and how long to try again.

    Attributes:
        failures: tries in a row that may bring nothing new before we give up.
        first_wait: seconds before the second try; doubles each time.
        longest_wait: seconds, also the cap on what a server's Retry-After may ask for.
        sleep: how to wait (tests count instead).
    """

    failures: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, failures: int, asked: float | None) -> float:
        """Seconds to wait: what the server asked for, else a doubling time with jitter, never above the cap."""
        backoff = self.first_wait * 2 ** max(0, failures - 1) * random.uniform(0.8, 1.2)
        return min(self.longest_wait, backoff if asked is None else asked)


class _CutError(Exception):
    """The connection ended early; what arrived is kept."""


def download(
    file: RemoteFile, target: Path, *, meter: Meter = silent, patience: Patience | None = None, label: str | None = None
) -> Path:
    """Fetch ``file`` into ``target`` (its folder exists and the caller holds the lock) and return ``target``.

    Raises:
        UnreachableError: no connection.
        HubError: an error status, a wrong size or checksum, a full disk, or the connection kept breaking.
    """
    part = sibling(target, ".part")
    _discard_stale(part, file)
    _check_space(target.parent, file.size - _size(part))
    with meter(label or file.filename, file.size) as report:
        resumed = _fetch(file, part, report, patience or Patience())
        problem = mismatch(part, file)
        if problem is not None and resumed:
            # The halves may come from two versions of the file; one clean try settles it.
            _discard(part)
            _fetch(file, part, report, patience or Patience())
            problem = mismatch(part, file)
    if problem is not None:
        _discard(part)
        raise HubError(
            f"{mirrored(file.url)} sent something else than {file.filename}: {problem}."
            " Nothing was kept; a proxy or mirror may have altered it, try again or use another source"
        )
    return adopt(part, target, file)


def adopt(part: Path, target: Path, file: RemoteFile) -> Path:
    """Give a verified file its final name, atomically, and stamp it."""
    try:
        part.replace(target)
    except OSError as error:
        raise _disk_error(error, target) from error
    sibling(part, ".json").unlink(missing_ok=True)
    write_stamp(target, file)
    return target


def _fetch(file: RemoteFile, part: Path, report: Report, patience: Patience) -> bool:
    """Fill ``part`` up to ``file.size`` bytes; true if bytes of an earlier connection were kept."""
    resumed, connected, failures, best = False, False, 0, _size(part)
    while (before := _size(part)) < file.size:
        wait: float | None = None
        try:
            resumed = _transfer(file, part, before, report) or resumed
            continue
        except _CutError as error:
            problem: Exception = error
            connected, resumed = True, resumed or before > 0
        except StatusError as error:
            if error.status not in _RETRIED:
                raise StatusError(f"{error}; {_OTHERWISE}", error.status, None) from error
            problem, wait, connected = error, error.retry_after, True
        except UnreachableError as error:
            if not connected:
                raise  # a machine without network should hear so at once, not after all the waits
            problem = error
        # Progress is measured against the best so far: a server without ranges restarts from zero each time.
        failures = 0 if _size(part) > best else failures + 1
        best = max(best, _size(part))
        if failures >= patience.failures:
            raise HubError(
                f"could not fetch {mirrored(file.url)}: {problem} ({failures} tries in a row brought nothing);"
                f" {human_size(_size(part))} are kept, run the same command again to continue"
            ) from problem
        patience.sleep(patience.pause(failures, wait))
    report(file.size)
    return resumed


def _transfer(file: RemoteFile, part: Path, offset: int, report: Report) -> bool:
    """One request; appends what it brings. True if it continued at ``offset`` > 0."""
    url = mirrored(file.url)
    try:
        response = get(url, _range_headers(part, offset))
    except StatusError as error:
        if error.status != 416 or not offset:
            raise
        _discard(part)  # the server's file is shorter than our part: start over
        return False
    except (OSError, http.client.HTTPException) as error:
        raise _CutError(f"the connection broke ({error})") from error
    with response:
        start = _start(response, offset, part)
        _check_length(response, start, file, url)
        _note(part, file, response.headers.get("ETag"))
        _append(response, part, start, file, report)
    return start > 0


def _range_headers(part: Path, offset: int) -> dict[str, str]:
    if not offset:
        return {}
    headers = {"Range": f"bytes={offset}-"}
    tag = _read_note(part).get("etag")
    if isinstance(tag, str) and not tag.startswith("W/"):  # a weak tag does not promise equal bytes
        headers["If-Range"] = tag
    return headers


def _start(response: http.client.HTTPResponse, offset: int, part: Path) -> int:
    """Where in the file this answer begins: 0 if the server does not do ranges or its file has changed."""
    if response.status == 200:
        return 0
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if response.status == 206 and found and int(found[1]) == offset:
        return offset
    _discard(part)  # without a partial file the next request asks for no range
    raise _CutError(f"the server answered {response.status} with an unusable range")


def _check_length(response: http.client.HTTPResponse, start: int, file: RemoteFile, url: str) -> None:
    """Refuse before the transfer what cannot be the file."""
    length = response.headers.get("Content-Length", "")
    page = response.headers.get_content_type() == "text/html"
    if page and not (length.isdigit() and start + int(length) == file.size):
        raise HubError(
            f"{url} answers with a web page in place of {file.filename}: a login page of the network, or a wrong mirror"
            "? Open it in a browser"
        )
    if length.isdigit() and start + int(length) != file.size:
        raise HubError(
            f"{url} offers {start + int(length):,} bytes, but {file.filename} has {file.size:,}: not the file we want"
        )


def _append(response: http.client.HTTPResponse, part: Path, start: int, file: RemoteFile, report: Report) -> None:
    done, excess = start, False
    try:
        with part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            while not excess and (chunk := _read(response)):
                excess = done + len(chunk) > file.size
                if not excess:
                    stream.write(chunk)
                    done += len(chunk)
                    report(done)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _disk_error(error, part) from error
    if excess:
        _discard(part)
        raise HubError(f"{mirrored(file.url)} sends more than the {file.size:,} bytes of {file.filename}; stopped")
    if done < file.size:
        raise _CutError(f"the connection was cut after {human_size(done)} of {human_size(file.size)}")


def _read(response: http.client.HTTPResponse) -> bytes:
    """The next chunk; a network error ends the body early instead of mixing with errors of the disk."""
    try:
        return response.read(_CHUNK)
    except http.client.IncompleteRead as error:
        return error.partial
    except (OSError, http.client.HTTPException):
        return b""


def _note(part: Path, file: RemoteFile, etag: str | None) -> None:
    """Remember what the partial file is part of, so that a later version of the registry does not continue it."""
    note = {"checksum": file.checksum, "size": file.size, "etag": etag}
    try:
        sibling(part, ".json").write_text(json.dumps(note), encoding="utf-8")
    except OSError as error:
        raise _disk_error(error, part) from error


def _read_note(part: Path) -> dict[str, object]:
    try:
        note = json.loads(sibling(part, ".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def _discard_stale(part: Path, file: RemoteFile) -> None:
    if _size(part) > file.size or _read_note(part).get("checksum") != file.checksum:
        _discard(part)


def _discard(part: Path) -> None:
    for path in (part, sibling(part, ".json")):
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _size(part: Path) -> int:
    try:
        return part.stat().st_size
    except OSError:
        return 0


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise HubError(
            f"the disk of {folder} has {human_size(free)} free, {human_size(needed)} are needed;"
            " free some space or choose another folder with ANOMALYCLIP_HOME"
        )


def _disk_error(error: OSError, path: Path) -> HubError:
    if error.errno in _DISK_FULL:
        return HubError(
            f"the disk of {path.parent} is full; what arrived is kept. Free some space and run the same command again,"
            " or choose another folder with ANOMALYCLIP_HOME"
        )
    return HubError(f"cannot write {path}: {error.strerror or error}; choose another folder with ANOMALYCLIP_HOME")
