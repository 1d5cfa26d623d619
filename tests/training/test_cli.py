"""`anomalyclip train` end to end on a rendered tree in MVTec AD's layout."""

from __future__ import annotations

import json

import pytest

from anomalyclip.cli import main
from anomalyclip.opening import load
from anomalyclip.prompts import load_prompts


@pytest.fixture
def call(tree, config, capsys):
    """Run the verb on the tiny tree; returns exit code and stderr."""

    def run(*options, data=None):
        arguments = ["train", str(data or tree), "-o", config.output, "--model", config.model, "--device", "cpu"]
        settings = {"image-size": 70, "layers": "2,4,6", "dpam-blocks": 4, "depth": 5, "epochs": 1, "batch-size": 5}
        for name, value in settings.items():
            arguments += [f"--{name}", str(value)]
        with pytest.raises(SystemExit) as end:
            main([*arguments, "--cache-dir", config.cache_dir, *options])
        out, err = capsys.readouterr()
        assert out == ""
        return end.value.code or 0, err

    return run


def test_a_run_from_the_command_line(call, config):
    code, err = call()
    assert code == 0, err
    assert "12 images" in err
    assert "to write" in err
    assert "epoch 1/1: loss" in err
    assert load(config.model, prompts=config.output, device="cpu").settings.layers == (2, 4, 6)
    code, err = call("--epochs", "2")
    assert code == 0
    assert "continuing after epoch 1" in err


def test_bad_calls_exit_with_one_line(call, tmp_path):
    for options, message in (
        (["--layers", "7"], "layers [7] do not exist"),
        (["--epochs", "0"], "--epochs 0 is out of range"),
        (["--depth", "9"], "depth 9"),
        (["--precision", "8-true"], "8-true"),
    ):
        code, err = call(*options)
        assert code == 2, err
        assert message in " ".join(err.split())
        assert "Traceback" not in err
    code, err = call(data=f"visa={tmp_path / 'nowhere'}")
    assert code == 2
    assert "nowhere" in err


def test_quiet_is_quiet_and_a_corrupt_image_gives_exit_code_3(call, tree, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tree, copy)
    (copy / "alpha" / "test" / "good" / "000.png").write_bytes(b"no image")
    code, err = call("--quiet", data=copy)
    assert code == 3
    assert err.count("\n") == 1
    assert "left out" in err


def test_two_trees_one_of_them_named_on_the_command_line(call, tree, config):
    code, err = call(f"mine={tree}")
    assert code == 0, err
    assert "mine: 12 images" in err
    assert "0 of 12 images there" in err  # equal content is encoded once
    assert load_prompts(f"{config.output}/prompts.safetensors").metadata.training["data"] == ["tiles", "mine"]


def test_heads_from_training_to_detection_and_evaluation(config, tree, tmp_path, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(one) for one in arguments])
        assert not end.value.code, capsys.readouterr().err

    shape = ("--image-size", 70, "--layers", "2,4,6", "--dpam-blocks", 4)
    cache = ("--cache-dir", config.cache_dir, "--device", "cpu", "-q")
    run("train", tree, "-o", config.output, "--model", config.model, "--method", "heads", "--epochs", 1, *shape, *cache)
    model = load(config.model, prompts=f"heads:{config.output}", device="cpu")
    assert (model.method, model.settings.layers) == ("heads", (2, 4, 6))
    with_heads = ("--model", config.model, "--prompts", f"heads:{config.output}", "--runtime", "torch", "-q")
    good = tree / "alpha" / "test" / "good"
    run("detect", good, "-o", tmp_path / "found", "--threshold", 0.5, *with_heads)
    rows = [json.loads(row) for row in (tmp_path / "found" / "results.jsonl").read_text().splitlines()]
    for row in rows:
        assert row["score"] == pytest.approx(model.detect(row["path"]).score, abs=1e-6)
        assert row["decision"] in ("normal", "anomalous")
    run("evaluate", tree, "-o", tmp_path / "measured", *with_heads)
    told = json.loads((tmp_path / "measured" / "metrics.json").read_text())
    assert "heads" in json.dumps(told)
