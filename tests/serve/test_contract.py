"""The OpenAPI description and the server hold each other to their word: schemathesis asks whatever the first allows."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, assume, given, settings

_REFUSALS = {"400", "401", "408", "413", "415", "422", "429", "500", "503"}


@pytest.fixture(scope="module")
def contract(server):
    return schemathesis.openapi.from_url(f"http://127.0.0.1:{server.port}/openapi.json")


@pytest.mark.parametrize(
    ("path", "method"),
    [
        ("/v1/detect", "POST"), ("/v1/calibrate", "POST"), ("/v1/models", "GET"), ("/v1/profiles", "GET"),
        ("/v1/profiles/{name}", "GET"), ("/v1/profiles/{name}", "DELETE"),
        ("/v1/profiles/{name}/corrections", "POST"), ("/healthz", "GET"), ("/readyz", "GET"),
    ],
)  # fmt: skip
def test_every_answer_is_one_that_is_described(path, method, contract) -> None:
    @settings(max_examples=12, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=contract[path][method].as_strategy())
    def ask(case) -> None:
        assume(_agrees(case.query or {}))
        case.call_and_validate(timeout=60)

    ask()


def _agrees(query) -> bool:
    """Whether numbers stand to each other as the fields' descriptions say, which no schema of single fields can."""
    scale, scales = query.get("full_scale"), query.get("scales")
    if isinstance(scale, str) and ":" in scale:
        black, _, white = scale.partition(":")
        if float(black) >= float(white):
            return False
    if isinstance(scales, str) and len(set(map(float, scales.split(",")))) <= scales.count(","):
        return False
    return query.get("overlap") is None or query.get("tile") is not None


def test_every_path_is_described_with_its_refusals(server) -> None:
    described = server.ask("GET", "/openapi.json").json
    assert described["openapi"].startswith("3.1")
    paths = described["paths"]
    assert set(paths) == {
        "/v1/detect", "/v1/calibrate", "/v1/models", "/v1/profiles", "/v1/profiles/{name}",
        "/v1/profiles/{name}/pictures/{number}", "/v1/profiles/{name}/corrections",
        "/v1/profiles/{name}/corrections/{number}", "/v1/profiles/{name}/thresholds", "/v1/part", "/v1/report",
            "/v1/profiles/{name}/self-test",
        "/v1/live", "/v1/live/overlays/{name}",
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    for path in ("/v1/detect", "/v1/calibrate"):
        assert paths[path]["post"]["responses"].keys() >= _REFUSALS
        assert paths[path]["post"]["requestBody"]["content"].keys() == {"multipart/form-data", "application/json"}
        assert "Retry-After" in paths[path]["post"]["responses"]["429"]["headers"]


def test_the_example_of_the_description_works(server) -> None:
    described = server.ask("GET", "/openapi.json").json
    body = described["paths"]["/v1/detect"]["post"]["requestBody"]["content"]["application/json"]
    (row,) = server.send_json(body["example"]).json["results"]
    assert (row["path"], row["width"], row["height"], row["error"]) == ("part-0001.png", 1, 1, None)


def test_a_misspelt_option_is_told_with_the_one_that_was_meant(server, png) -> None:
    answer = server.send_files([("a.png", png(0))], "/v1/detect?profil=x")
    assert answer.status == 422
    assert answer.json["error"]["message"] == "profil is no option of this path; did you mean profile?"
