"""Every form of the authors' prompt checkpoint in one list: the table in docs/models.md is made of it, and each row is
written and read here. `python -m tests.prompts.test_documented` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import safetensors.torch
import torch
from tests.tables import page_with

from anomalyclip.errors import PromptError
from anomalyclip.prompts import load_prompts

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
START, END = "<!-- prompt forms: made by tests/prompts/test_documented.py -->", "<!-- end of prompt forms -->"
State = dict[str, torch.Tensor]


class Form(NamedTuple):
    """A row: what it is called, the file's bytes of a learner's state, the words that refuse it; dtype: what the learned
    tensors were rounded to."""

    name: str
    data: Callable[[State], bytes]
    refused: str = ""
    dtype: torch.dtype = torch.float32


def saved(wrap: Callable[[State], Any], **options: Any) -> Callable[[State], bytes]:
    def write(state: State) -> bytes:
        buffer = io.BytesIO()
        torch.save(wrap(state), buffer, **options)
        return buffer.getvalue()

    return write


def named(front: str) -> Callable[[State], State]:
    return lambda state: {front + name: value for name, value in state.items()}


def rounded(dtype: torch.dtype) -> Callable[[State], bytes]:
    return saved(
        lambda state: {"prompt_learner": {n: v.to(dtype) if v.is_floating_point() else v for n, v in state.items()}}
    )


def text(content: str) -> Callable[[State], bytes]:
    return lambda _: content.encode()


OPTIMISER = {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 1e-3}]}
FORMS = (
    Form("`{\"prompt_learner\": ...}`, as the authors write it", saved(lambda state: {"prompt_learner": state})),
    Form("the learner's tensors alone", saved(lambda state: state)),
    Form("beside an optimiser and an epoch", saved(lambda state: {"prompt_learner": state, "optimizer": OPTIMISER, "epoch": 15})),
    Form("DataParallel's `module.`", saved(lambda state: {"prompt_learner": named("module.")(state)})),
    Form("torch.compile's `_orig_mod.`", saved(lambda state: {"prompt_learner": named("_orig_mod.")(state)})),
    Form("`state_dict` of a module that holds the learner", saved(lambda state: {"state_dict": named("module.prompt_learner.")(state)})),
    Form("Lightning's `.ckpt`", saved(lambda state: {"state_dict": named("model.prompt_learner.")(state), "pytorch-lightning_version": "2.5"})),
    Form("`model_state_dict`, CLIP's tensors beside it", saved(lambda state: {"model_state_dict": {**named("prompt_learner.")(state), "clip.visual.proj": torch.zeros(3, 3)}})),
    Form("`nn.Parameter`s", saved(lambda state: {"prompt_learner": {n: torch.nn.Parameter(v, v.is_floating_point()) for n, v in state.items()}})),
    Form("fp16", rounded(torch.float16), dtype=torch.float16),
    Form("bf16", rounded(torch.bfloat16), dtype=torch.bfloat16),
    Form("float64", rounded(torch.float64)),
    Form("safetensors", lambda state: safetensors.torch.save({n: v.contiguous() for n, v in state.items()})),
    Form("safetensors, `prompt_learner.`", lambda state: safetensors.torch.save(named("prompt_learner.")({n: v.contiguous() for n, v in state.items()}))),
    Form("safetensors of something else", lambda _: safetensors.torch.save({"visual.proj": torch.zeros(2)}), "a plain safetensors file holds weights"),
    Form("torch.save of before version 1.6", saved(lambda state: {"prompt_learner": state}, _use_new_zipfile_serialization=False), "torch.save of before version 1.6"),
    Form("one of its tensors missing", saved(lambda state: {"prompt_learner": {n: v for n, v in state.items() if n != "ctx_neg"}}), "missing ctx_neg"),
    Form("CoOp's and its kind's", saved(lambda _: {"state_dict": {"ctx": torch.zeros(16, 8)}, "epoch": 50}), "it is prompts of CoOp or one of its kind; learn"),
    Form("VAND's linear layers", saved(lambda _: {"trainable_linearlayer": {"fc.0.weight": torch.zeros(8, 8)}}), "learn such with `anomalyclip train --method vand`"),
    Form("CLIP's own weights", saved(lambda _: {"visual.proj": torch.zeros(3, 3)}), "it holds the weights of a CLIP; give it as --model"),
    Form("cut short", lambda state: saved(lambda whole: {"prompt_learner": whole})(state)[:4000], "is cut short or damaged"),
    Form("NaN", saved(lambda state: {"prompt_learner": {**state, "ctx_pos": state["ctx_pos"] * float("nan")}}), "ctx_pos holds NaN"),
    Form("a Git LFS pointer", text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), "git lfs pull"),
    Form("a web page", text("<!DOCTYPE html>"), "it is a web page"),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=[form.name for form in FORMS])
def test_every_documented_form_is_read_right_or_refused_in_these_words(
    form: Form, golden_path: Path, tmp_path: Path
) -> None:
    state = torch.load(golden_path / "epoch_1.pth", weights_only=True)["prompt_learner"]
    path = tmp_path / "prompts"
    path.write_bytes(form.data(state))
    if form.refused:
        with pytest.raises(PromptError, match=form.refused):
            load_prompts(path)
        return
    prompts = load_prompts(path)
    assert prompts.kind == "published"
    assert prompts.settings == load_prompts(golden_path / "epoch_1.pth").settings
    for name, value in prompts.tensors.items():
        assert torch.equal(value, state[name].to(form.dtype).float())


def table() -> str:
    lines = ["| the authors' checkpoint | what becomes of it |", "|---|---|"]
    for form in FORMS:
        outcome = f'refused: "{form.refused}"' if form.refused else "read"
        lines.append(f"| {form.name} | {outcome} |")
    return "\n".join(lines)


def page() -> str:
    return page_with(PAGE, START, table(), END)


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.prompts.test_documented"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
