"""Requests that cost a server more than their bytes, or say one thing to a proxy and another to it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from anomalyclip.serve.parsing import MOST_OF_PROFILES, parsed, profiles_in
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.reporting import ReportBody
from anomalyclip.serve.schemas import ImagesBody

ATTACKS = Path(__file__).parents[2] / "attacks"


def test_json_of_nothing() -> None:
    code = "import json, json_of_nothing; print(json.dumps(json_of_nothing.show()))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ATTACKS, capture_output=True, text=True, check=True)
    answer, seconds, grown_mb = json.loads(done.stdout)
    assert "2,000,004 parts of JSON are more than its use has" in answer
    assert seconds < 1
    assert grown_mb < 150, "what imports take"


@pytest.mark.parametrize("part", [b"[],", b'"x",', b"{},", b"1,"])
def test_profiles_of_nothing(part: bytes) -> None:
    body = b'{"format":"anomalyclip-profiles","version":1,"profiles":[' + part * (MOST_OF_PROFILES + 1) + b"1]}"
    with pytest.raises(Refused, match="parts of JSON are more than its use has") as refused:
        profiles_in(body)
    assert refused.value.status == 422


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"images":', b"", b"\xff\xfe[\0]\0"])
def test_no_json(body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        parsed(ImagesBody, body, 200_000, "it")
    assert refused.value.status == 400
    assert refused.value.__context__ is None, "it holds no list of faults"
    with pytest.raises(Refused) as refused:
        profiles_in(body)
    assert refused.value.status == 400


def test_what_is_in_use_is_taken() -> None:
    images = {"images": [{"name": "a, b: [c].png", "data": "data:image/png;base64,AAAA"}] * 32}
    assert len(parsed(ImagesBody, json.dumps(images).encode(), 33_000, "it").images) == 32
    with pytest.raises(Refused, match=r"it: rows.0.path: "):
        parsed(ReportBody, b'{"rows":[{}]}', 100, "it")
