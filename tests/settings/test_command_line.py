"""Options are the declarations: same names, defaults, choices, panels and help; and refusals say the same words."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click
import pytest

from anomalyclip.cli import main
from anomalyclip.settings import Setting, settings_of
from anomalyclip.settings.faces import COMMANDS

OPTIONS = [(verb, setting) for verb in COMMANDS for setting in settings_of(verb).values() if not setting.argument]


def parameters(verb: str) -> dict[str, Any]:
    first, *rest = verb.split()
    command: Any = import_module(f"anomalyclip.cli.{first}").app
    for word in rest:
        command = command.commands[word]
    assert isinstance(command, click.Command)
    return {one.name: one for one in command.params}


@pytest.mark.parametrize("verb", COMMANDS)
def test_a_verb_has_the_declared_options_and_no_others(verb: str) -> None:
    assert list(parameters(verb)) == list(settings_of(verb))


@pytest.mark.parametrize(
    ("verb", "setting"), OPTIONS, ids=lambda case: case.name if isinstance(case, Setting) else case
)
def test_an_option_is_its_declaration(verb: str, setting: Setting) -> None:
    option = parameters(verb)[setting.name]
    assert setting.flag in option.opts
    assert option.help == setting.sentence
    assert option.panel == setting.panel
    assert option.required == setting.required
    default = option.to_info_dict()["default"]
    assert (default or None) == (setting.default or None)
    assert tuple(getattr(option.type, "choices", ())) == setting.choices


@pytest.mark.parametrize(
    ("verb", "setting"),
    [case for case in OPTIONS if case[1].range is not None and not case[1].many],
    ids=lambda case: case.name if isinstance(case, Setting) else case,
)
def test_a_value_out_of_range_is_refused_in_the_words_of_python(
    verb: str, setting: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setting.range is not None
    wrong = int(setting.range.high) + 1
    words = [one.name for one in settings_of(verb).values() if one.argument]
    needed = ["--output", "out"] if settings_of(verb).get("output") is not None else []
    required = [one for one in settings_of(verb).values() if one.required and not one.argument and one.name != "output"]
    needed += [word for one in required for word in (one.flag, "x")]
    with pytest.raises(SystemExit) as ended:
        main([*verb.split(), *words, *needed, setting.flag, str(wrong)])
    assert ended.value.code == 2
    with pytest.raises(Exception, match="out of range") as in_python:
        setting.value(wrong)
    said = capsys.readouterr().err
    assert f"error: {str(in_python.value).replace(setting.name, setting.flag, 1)}" in said
