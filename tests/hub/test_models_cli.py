"""`anomalyclip models`, through the command line people use."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.cli import main
from anomalyclip.hub import MODELS, PROMPTS

# Runs the real entry point with two more registry rows, given as JSON: a subprocess cannot be monkeypatched.
_WITH_ROWS = """
import json, sys
from anomalyclip.hub import registry
from anomalyclip.hub.registry import Entry, RemoteFile
for row in json.loads(sys.argv.pop(1)):
    files = tuple(RemoteFile(**file) for file in row.pop("files"))
    registry.table(row["kind"])[row["name"]] = Entry(**row, files=files)
from anomalyclip.cli import main
main()
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(["models", *arguments])
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_list_shows_every_name(run, cache_home: Path) -> None:
    code, out, err = run("list")
    assert code == 0
    for entry in (*MODELS.values(), *PROMPTS.values()):
        assert entry.name in out
    assert "934.1 MB" in out
    assert out.count("not downloaded") == 6
    assert str(cache_home) in err


def test_list_json_is_complete_and_nothing_else_is_on_stdout(run, tiny, cache_home: Path) -> None:
    run("pull", "tiny")
    code, out, _ = run("list", "--json")
    rows = {(row["kind"], row["name"]): row for row in json.loads(out)}
    assert code == 0
    row = rows["model", "tiny"]
    assert (row["state"], row["bytes"], row["default_prompts"]) == ("cached", tiny.files[0].size, "tiny-prompts")
    assert row["path"] == str(cache_home / "models" / "tiny" / "tiny.pt")
    assert [file["state"] for file in row["files"]] == ["cached", "not downloaded"]
    assert rows["prompts", "published-mvtec"]["files"][0]["git_blob"] == "72adc786e031b49ea288ba5f815f0d38cf158708"
    assert rows["model", "vit-b-32"]["files"][0]["url"].startswith("https://openaipublic.azureedge.net/")


def test_list_shows_what_will_be_fetched_through_a_mirror(run, monkeypatch) -> None:
    monkeypatch.setenv("ANOMALYCLIP_MIRROR", "https://files.example")
    rows = json.loads(run("list", "--json")[1])
    assert all(file["url"].startswith("https://files.example/") for row in rows for file in row["files"])


def test_pull_brings_the_default_prompts_too(run, tiny, server, cache_home: Path) -> None:
    code, out, err = run("pull", "tiny")
    places = {"tiny": cache_home / "models/tiny/tiny.pt", "tiny-prompts": cache_home / "prompts/tiny-prompts"}
    assert code == 0
    assert out.splitlines() == [f"tiny\t{places['tiny']}", f"tiny-prompts\t{places['tiny-prompts']}/tiny-prompts.pth"]
    assert "downloading tiny (1.3 MB)" in err
    assert run("pull", "tiny", "tiny-prompts")[1] == out
    assert len(server.requests) == 2


def test_pull_from_another_source(run, tiny, server) -> None:
    assert run("pull", "tiny", "--source", "huggingface")[0] == 0
    assert [request["path"] for request in server.requests] == ["/hf/tiny.safetensors", "/prompts/words.pth"]
    assert run("pull", "tiny", "--source", "elsewhere")[0] == 2


def test_pull_goes_on_after_a_failure(run, tiny, server, answers) -> None:
    server.scripts["/clip/tiny.pt"] = [answers.status(404)]
    code, out, err = run("pull", "tiny")
    assert code == 3
    assert out.startswith("tiny-prompts\t")
    assert "answered 404" in err


def test_pull_one_failure_is_an_error(run, tiny, server, answers) -> None:
    server.files["/prompts/words.pth"] = b"something else"
    code, out, err = run("pull", "tiny-prompts")
    assert (code, out) == (2, "")
    assert "error: " in err
    assert "14 bytes" in err


def test_pull_offline_and_unknown(run, tiny, server) -> None:
    code, _, err = run("pull", "tiny-prompts", "--offline")
    assert code == 2
    assert "put it at" in err
    code, _, err = run("pull", "published-mvtac")
    assert code == 2
    assert "did you mean published-mvtec" in err
    assert server.requests == []


def test_verify_reads_the_bytes_again(run, tiny, server, cache_home: Path) -> None:
    run("pull", "tiny")
    path = cache_home / "models" / "tiny" / "tiny.pt"
    code, out, _ = run("verify", "tiny")
    assert (code, out) == (0, f"tiny (model)\tok\t{path}\n")
    times = path.stat()
    path.write_bytes(bytes(times.st_size))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # the stamp would still hold
    code, out, err = run("verify")
    assert code == 3
    assert "tiny (model)\tDAMAGED: its sha256 is " in out
    assert f"tiny-prompts (prompts)\tok\t{cache_home}" in out
    assert "models pull" in err
    assert run("pull", "tiny")[0] == 0
    assert run("verify")[0] == 0


def test_verify_of_a_missing_name_fails_but_of_everything_does_not(run, tiny) -> None:
    code, out, _ = run("verify", "tiny")
    assert code == 3
    assert "not downloaded" in out
    assert run("verify")[0] == 0


def test_path_prints_one_line_and_never_downloads(run, tiny, server, cache_home: Path) -> None:
    code, out, err = run("path", "tiny")
    assert (code, out) == (2, "")
    assert "anomalyclip models pull tiny" in err
    assert server.requests == []
    run("pull", "tiny")
    assert run("path", "tiny") == (0, f"{cache_home / 'models' / 'tiny' / 'tiny.pt'}\n", "")


def test_the_real_command_shows_a_bar_on_a_terminal(tiny, server) -> None:
    """As a subprocess on a pseudo terminal: the bar, and the result on stdout alone."""
    rows = [{"name": "bar", "kind": "model", "what": "", "licence": "", "files": [vars(tiny.files[0])]}]
    leader, follower = pty.openpty()
    command = [sys.executable, "-c", _WITH_ROWS, json.dumps(rows), "models", "pull", "bar"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=environment) as process:
        out = process.stdout.read().decode() if process.stdout else ""
        assert process.wait(timeout=30) == 0
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    assert out.startswith("bar\t")
    assert "1.3/1.3 MB" in shown
    assert "/s" in shown


def test_module_entry_point_is_light() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "anomalyclip", "models", "list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "anomalyclip.hub" in imported
    assert not imported & {"torch", "numpy", "cv2"}
