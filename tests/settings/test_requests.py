"""Request fields are the declarations: their schema, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from anomalyclip.serve.schemas import CalibrateOptions, CorrectOptions, DetectOptions
from anomalyclip.settings import Setting, settings_of
from anomalyclip.settings.faces import REST, REST_CALIBRATE, REST_CORRECT

FACES = {REST: DetectOptions, REST_CALIBRATE: CalibrateOptions, REST_CORRECT: CorrectOptions}
FIELDS = [(face, setting) for face in FACES for setting in settings_of(face).values()]
NEEDED = {REST: {}, REST_CALIBRATE: {"name": "camera-3"}, REST_CORRECT: {"said": "faulty"}}


def named(case: Any) -> str:
    return case.name if isinstance(case, Setting) else str(case)


@pytest.mark.parametrize("face", FACES)
def test_a_request_has_the_declared_fields_and_refuses_others(face: str) -> None:
    schema = FACES[face].model_json_schema()
    assert list(schema["properties"]) == list(settings_of(face))
    assert schema["additionalProperties"] is False
    with pytest.raises(ValidationError, match="treshold"):
        FACES[face](**NEEDED[face], treshold=0.5)


@pytest.mark.parametrize(("face", "setting"), FIELDS, ids=named)
def test_a_field_is_its_declaration(face: str, setting: Setting) -> None:
    told = FACES[face].model_json_schema()["properties"][setting.name]
    assert told["description"] == setting.help
    assert told.get("default") == setting.default
    kinds = [told, *told.get("anyOf", [])]
    if setting.range is not None and setting.read is None:
        low, high = ("exclusiveMinimum", "exclusiveMaximum") if setting.range.open else ("minimum", "maximum")
        assert [(kind[low], kind[high]) for kind in kinds if low in kind] == [setting.range[:2]]
    if setting.choices:
        assert [kind["enum"] for kind in kinds if "enum" in kind] == [list(setting.choices)]


@pytest.mark.parametrize(("face", "setting"), [case for case in FIELDS if case[1].range is not None], ids=named)
def test_a_value_beyond_the_range_is_refused(face: str, setting: Setting) -> None:
    assert setting.range is not None
    for value in (setting.range.low - 1, setting.range.high + 1):
        with pytest.raises(ValidationError, match=setting.name):
            FACES[face](**NEEDED[face] | {setting.name: value})
