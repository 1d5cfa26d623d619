"""Every `bash` and `python` block of docs/ and README.md runs, on tiny pictures, or has a reason here why it cannot.

What is changed before a command runs is in SMALLER and `shrunk`: large models become the small random CLIP of
tests/golden, placeholders become folders, and thousands of pictures become a few.
"""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from anomalyclip.cli import main
from anomalyclip.cli._group import VERBS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md"])
GOLDEN = ROOT / "tests" / "golden"
SMALL, PROMPTS = str(GOLDEN / "clip_small_openai.safetensors"), str(GOLDEN / "epoch_1.pth")

#: `anomalyclip` commands that are parsed, not run: (start of the command, reason).
PARSED_ONLY = [
    ("models pull", "downloads from OpenAI and GitHub; tests/hub serves both from this machine"),
    ("models path vit-l-14-336", "asks for the file that `models pull` would have fetched"),
    ("serve", "runs until it is stopped; tests/serve and tests/e2e run it"),
    ("reproduce", "needs data sets; tests/reproduction runs every table on stand-ins"),
    ("data make runs/standins", "sixty-nine classes; tests/data renders every layout"),
    ("bench --output", "minutes; tests/bench runs its variants, and docs/how-to/deploy.md a short one"),
    ("bench --model random", "ten minutes of ViT-L"),
    ("bench --data", "needs data sets of the maintainers"),
    ("detect --engine ray", "tests/cluster runs it on real nodes, for minutes"),
    ("detect photos/ --runtime openvino", "converts for half a minute; tests/runtime runs OpenVINO"),
    ("export vit-l-14-336 --format openvino", "converts for half a minute; tests/runtime runs OpenVINO and int8"),
    ("export pocket --format onnx --output line-onnx", "half a minute; docs/export.md has the same, which runs"),
    ("export pocket --format onnx --precision int8", "quantises for half a minute; tests/runtime does"),
    ("calibrate good-parts/ --model exported-int8", "follows the one above"),
    ("detect photos/ --model exported-int8", "follows the one above"),
    ("watch photos/ --output watched --threshold 0.6 --mqtt", "needs a broker; tests/watching starts mosquitto"),
    (
        "watch incoming/ --output watched --threshold 0.6 --metrics",
        "runs until it is stopped; tests/integrations asks it",
    ),
    (
        "evaluate labelled --mlflow",
        "MLflow is in no environment of the tests; docs/integrations/mlflow.md says what was run",
    ),
    ("watch camera:0", "needs a camera and a controller; tests/watching starts servers of both protocols"),
    ("detect photos --model loose.bin", "the file is the reader's; tests/clip gives lone weights both options"),
]
#: Other programs that are not run: name -> reason. `make`, `pip` and `python FILE` are checked against what exists.
NOT_RUN = {
    "docker": "needs a container engine; tests/e2e/test_deploy.py checks the files",
    "openssl": "not part of the project",
    "curl": "speaks to a server that another terminal runs; tests/serve sends the same",
    "jq": "not part of the project; that its input is JSON is checked",
    "ray": "starts a cluster; tests/cluster starts two nodes",
    ".": "activates an environment in a shell",
}
#: Python blocks that are compiled, not run: (page, something in the block, reason).
COMPILED_ONLY = [
    ("scale.md", "results/results", "reads what Ray would have written; tests/cluster reads it"),
    ("export.md", "open_detector", "quantises pocket for a minute; tests/runtime opens every runtime"),
    ("fiftyone.md", "to_fiftyone", "FiftyOne is in no environment of the tests; its page says what was run"),
    ("mlflow.md", "log_evaluation", "MLflow is in no environment of the tests; its page says what was run"),
    ("supervision.md", "to_supervision", "supervision is in no environment of the tests; its page says what was run"),
    ("supervision.md", "sv.MaskAnnotator", "the same"),
    ("serve.md", "requests.post", "speaks to a server that another terminal runs; tests/serve sends the same"),
]
#: Text that is replaced in Python blocks: settings of ViT-L by those of the small CLIP.
SMALLER = {
    '"vit-l-14-336"': repr(SMALL),
    "layers=[6, 12, 18, 24]": "layers=[2, 4, 6]",
    "patches[24]": "patches[6]",
    "image_size=518": "image_size=70",
    "dpam_blocks=19": "dpam_blocks=4",
    "epochs=15": f"epochs=1, model={SMALL!r}, image_size=70",
    "roi=(120, 80, 900, 600)": "roi=(8, 6, 40, 30)",
    # the model that the commands above it have run on
    'load("pocket")\nprofile = read': f"load({SMALL!r}, prompts={PROMPTS!r}, image_size=70)\nprofile = read",
}
#: Words of a command line that are replaced.
WORDS = {
    "DATA": "labelled", "AUXILIARY": "labelled", "DIR": "labelled", "vit-l-14-336": SMALL, "visa=/data/v2": "v2",
    "6,12,18,24": "2,4,6", "120,80,900,600": "8,6,40,30", "512": "32",
}  # fmt: skip
#: Options whose value is replaced, of `data make` and `train`.
FEWER = {"--size": "48", "--epochs": "1", "--calibration-images": "2"}


class Block(NamedTuple):
    """A fenced block: its language, its first line's number, its text."""

    language: str
    line: int
    text: str


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = re.finditer(r"^( *)```(\w*)\n(.*?)^\1```", text, re.MULTILINE | re.DOTALL)
    return [Block(one[2], text.count("\n", 0, one.start()) + 2, one[3]) for one in found]


def command_lines(text: str) -> Iterator[list[list[str]]]:
    """Words of each command line of a bash block: one list per program of a pipe or of `&&`."""
    for line in text.replace("\\\n", " ").splitlines():
        if "[--" in line:  # a synopsis, whose bars are no pipes
            yield [[word for word in line.replace("|", " ").split() if word]]
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&")
        lexer.whitespace_split = True
        words = list(lexer)
        if words:
            yield [
                [word for word in part.split("\0") if word]
                for part in re.split("\0(?:\\||&&)\0", "\0" + "\0".join(words) + "\0")
            ]


def commands(verb: str) -> Any:
    return import_module(f"anomalyclip.cli.{verb}").app


def parse(words: list[str]) -> None:
    """Raise where `anomalyclip WORDS` would be refused for its options."""
    assert words[0] in VERBS or words[0].startswith("-"), f"no verb {words[0]!r}"
    command, rest = commands(words[0]), words[1:]
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    known = {name for param in command.params for name in [*param.opts, *param.secondary_opts]} | {"--help", "-h"}
    rest = [word.strip("[]") for word in rest]
    unknown = [word for word in rest if re.match(r"--?[a-z]", word) and word.split("=")[0] not in known]
    assert not unknown, f"`anomalyclip {words[0]}` has no option {unknown}"


def shrunk(words: list[str]) -> list[str]:
    """The same command for the small CLIP and few pictures; see the tables above."""
    words = [WORDS.get(word, word) for word in words]
    verb = words[0]
    if verb in ("data", "train", "export"):
        pairs = list(zip(["", *words], words, strict=False))
        words = [FEWER.get(before, word) for before, word in pairs]
        words = [
            "8" if pair[0] == "--images" and int(word) > 80 else word for pair, word in zip(pairs, words, strict=True)
        ]
    if verb == "export" and words[1] in ("pocket", SMALL):
        return ["export", SMALL, *words[2:], "--prompts", PROMPTS, "--image-size", "70", "--layers", "6"]
    if verb not in ("detect", "calibrate", "watch", "evaluate", "train", "bench"):
        return words
    model = words[words.index("--model") + 1] if "--model" in words else None
    if model is not None and model != SMALL:
        return words  # an export
    if verb == "bench":
        return [*words, "--image-size", "64"]
    words += [] if model else ["--model", SMALL]
    words += ["--image-size", "70"] if "--prompts" not in words or verb == "evaluate" else []
    if "--prompts" not in words and verb != "train":
        words += ["--prompts", PROMPTS, *([] if "--layers" in words else ["--layers", "6"])]
    if verb == "train" and "--epochs" not in words:
        words += ["--epochs", "1"]
    if verb == "calibrate":
        words += ["--no-self-test"] if "--no-self-test" not in words else []  # seconds each; tests/calibration has it
        words += (
            ["--overwrite"] if "--add" not in words else []
        )  # a page may show several calls that write the same file
    if verb == "evaluate" and ("--output" in words or "-o" in words):
        words += ["--no-plots"]
    return words


def run_anomalyclip(words: list[str], where: str) -> None:
    parse(words)
    if any(("[" in word and "]" in word) or word.endswith("...") or word == "TARGET" for word in words):
        return  # a synopsis
    if any(" ".join(words).startswith(start) for start, _ in PARSED_ONLY):
        return
    words = shrunk(words)
    if words[0] == "export":
        export_once(words, where)
    else:
        succeed(words, where)


def succeed(words: list[str], where: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code in (0, None), f"{where}: exit code {ended.value.code} of anomalyclip {shlex.join(words)}"


EXPORTS: dict[tuple[str, ...], tempfile.TemporaryDirectory[str]] = {}


def export_once(words: list[str], where: str) -> None:
    """What an earlier page exported with the same command is copied: torch's ONNX exporter takes ten seconds."""
    place = words.index("--output") + 1
    key = (*words[:place], *words[place + 1 :])
    if key not in EXPORTS:
        succeed(words, where)
        kept = tempfile.TemporaryDirectory(prefix="exported-")
        shutil.copytree(words[place], kept.name, dirs_exist_ok=True)
        EXPORTS[key] = kept
    else:
        shutil.copytree(EXPORTS[key].name, words[place])


def check_make(words: list[str], where: str) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    wanted = [word for word in words[1:] if "=" not in word]
    assert set(wanted) <= set(targets), f"{where}: the Makefile has no {wanted}"


def check_pip(words: list[str], where: str) -> None:
    extras = set(metadata.metadata("anomalyclip").get_all("Provides-Extra") or [])
    for word in words:
        if found := re.search(r"\[(.+)\]", word):
            assert set(found[1].split(",")) <= extras, f"{where}: no extras {found[1]}"


def check_python(words: list[str], where: str) -> None:
    """`python FILE`: run the standalone example; of others, the file and its options exist."""
    if words[1:3] == ["-m", "pip"]:
        return check_pip(words, where)
    if words[1] == "onnx_standalone.py":
        shutil.copy(ROOT / "examples" / words[1], words[1])
        subprocess.run([sys.executable, *words[1:]], check=True)
        return None
    script = ROOT / words[1]
    assert script.is_file(), f"{where}: no {words[1]}"
    text = script.read_text()
    for option in (word for word in words if word.startswith("--")):
        assert option in text or option[2:].replace("-", "_") in text, f"{where}: {words[1]} has no {option}"
    return None


CHECKS: dict[str, Callable[[list[str], str], None]] = {"make": check_make, "pip": check_pip, "python": check_python}


def run_bash(block: Block, page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for line in command_lines(block.text):
        for words in line:
            where = f"{page.name}:{block.line}: {shlex.join(words)}"
            if words[0] == "anomalyclip":
                run_anomalyclip(words[1:], where)
            elif words[0] in CHECKS:
                CHECKS[words[0]](words, where)
            else:
                assert words[0] in NOT_RUN, f"{where}: nobody runs this, and it has no reason in NOT_RUN"
        if len(line) > 1 and line[1][0] == "jq":
            assert [row for row in capsys.readouterr().out.splitlines() if row.startswith("{")]


def prepare(page: Path) -> dict[str, Any]:
    """What a page takes for granted: files of an earlier page, and names for its Python."""
    import anomalyclip

    if page.name in ("data.md", "evaluate.md"):
        shutil.copytree("labelled", "aux")
    if page.name == "evaluate.md":
        run_anomalyclip(["train", "labelled", "--output", "runs/mine"], page.name)
    if page.name == "tutorial.md":
        shutil.rmtree("today")  # the page makes its own
    if page.name == "python.md":
        return {"pixel_values": torch.from_numpy(np.random.default_rng(0).random((1, 3, 70, 70), dtype=np.float32))}
    if page.name == "large-images.md":
        return {"model": anomalyclip.load(SMALL, prompts=PROMPTS, image_size=70, layers=[6])}
    return {}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_blocks_of_a_page_run(page: Path, scratch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    namespace = prepare(page)
    for block in blocks(page):
        if block.language == "bash":
            run_bash(block, page, capsys)
        elif block.language == "python":
            text = block.text
            for large, small in SMALLER.items():
                text = text.replace(large, small)
            code = compile("\n" * (block.line - 1) + text, str(page), "exec")
            if not any(page.name == name and part in block.text for name, part, _ in COMPILED_ONLY):
                exec(code, namespace)
        else:
            assert block.language in ("", "text", "json", "ini", "yaml", "pycon"), f"{page.name}:{block.line}"
            assert block.language or "anomalyclip detect" not in block.text, f"{page.name}:{block.line}: say `bash`"


def test_no_reason_is_stale() -> None:
    """Every reason is about a command that some page still has."""
    lines = [" ".join(words) for page in PAGES for block in blocks(page) if block.language == "bash"
             for line in command_lines(block.text) for words in line]  # fmt: skip
    unused = [start for start, _ in PARSED_ONLY if not any(line.startswith(f"anomalyclip {start}") for line in lines)]
    unused += [name for name in NOT_RUN if not any(line.startswith(f"{name} ") for line in lines)]
    assert not unused
