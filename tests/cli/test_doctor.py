"""What the doctor says, with and without what he looks for; and what leaves the machine."""

from __future__ import annotations

import getpass
import json
import re
import socket
import sys
from pathlib import Path

import pytest

from anomalyclip.cli import _diagnosis, main
from anomalyclip.cli._diagnosis import diagnose, missing_extras, scrubbed
from anomalyclip.errors import ConfigError

ROOT = Path(__file__).parent.parent.parent
#: Extras that no user chooses: for work on the package, an old name, and all together.
OTHERS = {"pretrain", "test-light", "dev", "release", "docs", "dicom", "all"}


def doctor(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["doctor", *map(str, words)])
    return int(ended.value.code or 0)


def test_a_bundle_tells_nothing_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "acme-secret-project" / "cache"
    secret.mkdir(parents=True)
    monkeypatch.setenv("ANOMALYCLIP_HOME", str(secret))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    for name in ("API_KEY", "MQTT_PASSWORD", "WEBHOOK_TOKEN", "MIRROR"):
        monkeypatch.setenv(f"ANOMALYCLIP_{name}", "hunter2")
    bundle = tmp_path / "bundle.json"
    assert doctor("--bundle", bundle, "--json") == 0
    full = json.loads(capsys.readouterr().out)
    assert full["cache"]["folder"] == str(secret)
    text = bundle.read_text()
    told = json.loads(text)
    assert told.keys() == full.keys()
    assert told["cache"]["folder"] == "<path>"
    assert told["packages"] == full["packages"]
    assert "hunter2" not in json.dumps(full)
    assert full["environment"]["ANOMALYCLIP_API_KEY"] == "set (not shown)"
    for private in ("acme-secret", "hunter2", str(tmp_path), sys.prefix, str(Path.home()) + "/"):
        assert private not in text
    assert socket.gethostname() not in text
    assert full["check"]["works"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no file /srv/customer/line 3", "no file <path> 3"),
        (r"C:\Users\anna\parts", "<path>"),
        (r"\\fileserver\share", "<path>"),
        ("/srv/customer/line 3", "<path>"),
        ("no file /customer", "no file <path>"),
        ("~/customer/line: no such file", "<path>: no such file"),
        ("http://ann:word@proxy.example.org/ answers 407", "http://<login>@proxy.example.org/ answers 407"),
        ("and/or 1/2 https://example.org/a/b", "and/or 1/2 https://example.org/a/b"),
        ("AVX-512 (F, BW)", "AVX-512 (F, BW)"),
    ],
)
def test_scrubbing(text: str, expected: str) -> None:
    assert scrubbed({"a": [text]}) == {"a": [expected]}


def test_names_are_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "annabel")
    monkeypatch.setattr(socket, "gethostname", lambda: "line3-pc")
    assert scrubbed("annabel on line3-pc, annabella") == "<user> on <host>, annabella"


def test_what_lacks_comes_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_diagnosis, "_version", lambda name: None if name in ("torch", "lightning") else "1")
    found = missing_extras()
    assert found["torch"]["lacks"] == ["torch"]
    assert found["torch"]["install"] == "pip install 'anomalyclip[torch]'"
    assert set(found["train"]["lacks"]) == {"torch", "lightning"}, "an extra of an extra counts"
    assert "serve" not in found


def test_every_extra_that_users_choose_is_looked_for() -> None:
    _, _, rest = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]\n")
    declared = set(re.findall(r"^([a-z-]+) = \[", rest.partition("\n[")[0], re.MULTILINE))
    assert set(_diagnosis.EXTRAS) == declared - OTHERS
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    told = re.findall(r"pip install '?anomalyclip\[([a-z,]+)\]", "".join(page.read_text("utf-8") for page in pages))
    assert set(",".join(told).split(",")) <= set(_diagnosis.EXTRAS)


def test_a_broken_part_is_told_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setitem(_diagnosis._RUNTIMES, "torch", broken)
    found = diagnose()
    assert found["runtimes"]["torch"] == "failed: OSError: libcudart.so.12: cannot open shared object file"
    assert "CPUExecutionProvider" in found["runtimes"]["onnxruntime"]


def test_a_main_job_that_fails_is_exit_code_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConfigError("the embedded model is damaged")

    monkeypatch.setattr("anomalyclip.load", fail, raising=False)
    assert doctor() == 3
    out = capsys.readouterr().out
    assert "failed: ConfigError: the embedded model is damaged" in out
    assert "onnxruntime" in out
