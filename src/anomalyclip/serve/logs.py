"""Logs as JSON, one object per line on stderr. They hold no image content and no file names, which may name people."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class JsonFormatter(logging.Formatter):
    """`{"time": ..., "level": ..., "logger": ..., "event": ..., <extra>}`."""

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=True, default=str)


# Libraries that complain of what clients send; the client is told.
_LIBRARIES = ("asyncio", "multipart", "python_multipart", "PIL", "pydicom", "tifffile", "nibabel")


def log_config(level: str = "info") -> dict[str, Any]:
    """For `logging.config.dictConfig`, and for uvicorn, whose access log ours replaces."""
    ours = {"handlers": ["stderr"], "level": level.upper(), "propagate": False}
    quiet = {"handlers": ["stderr"], "level": "ERROR", "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonFormatter}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
        "loggers": {
            "anomalyclip.serve": ours,
            "uvicorn": ours,
            **dict.fromkeys(_LIBRARIES, quiet),
            "uvicorn.access": {"handlers": [], "level": "CRITICAL", "propagate": False},
        },
    }
