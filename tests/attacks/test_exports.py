"""Exports whose graph or links lead out of their folder, and those that only look so."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalyclip.encoders.onnx_places import places
from anomalyclip.encoders.sidecar import check_inside, read_artefact
from anomalyclip.errors import InputError


@pytest.fixture
def attack(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "attacks"))
    return importlib.import_module


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "", "a/../../secret.bin", "..\\secret.bin", "not.there"]
)
def test_export_weights_elsewhere(attack: Any, tmp_path: Path, location: str) -> None:
    module = attack("export_weights_elsewhere")
    assert "which is no file of this export" in module.end_of(module.make(tmp_path, location))


def test_weights_beside_the_graph_are_read(attack: Any, tmp_path: Path) -> None:
    """The attack's graph is one: with its weights in the folder it is opened, and computes with them."""
    onnxruntime = pytest.importorskip("onnxruntime")
    module = attack("export_weights_elsewhere")
    export = module.make(tmp_path, "model.bin")
    assert module.end_of(export) == "opened"
    session = onnxruntime.InferenceSession(str(export / "model.onnx"), providers=["CPUExecutionProvider"])
    (sum_,) = session.run(None, {"x": np.zeros(8, np.float32)})
    assert sum_.tobytes() == module.WEIGHTS


@pytest.mark.parametrize("target", ["../secret.bin", "/etc/passwd", "/etc", ".."])
def test_export_links(attack: Any, tmp_path: Path, target: str) -> None:
    end = attack("export_weights_elsewhere").end_of(attack("export_links").make(tmp_path, target))
    assert "other.bin is a link out of its folder" in end
    for name in ("model.bin", "model.onnx"):
        (tmp_path / name).mkdir()
        export = attack("export_links").make(tmp_path / name, "../secret.bin", name)
        assert f"{name} is a link out of its folder" in attack("export_weights_elsewhere").end_of(export)


def test_wherever_a_tensor_may_stand(tmp_path: Path) -> None:
    """In a graph in a graph, an attribute, a sparse tensor, a function: compared with what the onnx package wrote."""
    onnx = pytest.importorskip("onnx")

    def tensor(location: str) -> Any:
        made = onnx.TensorProto(data_type=1, dims=[8], name=location, data_location=1)
        made.external_data.add(key="offset", value="../offset")
        made.external_data.add(key="location", value=location)
        return made

    def sparse(name: str) -> Any:
        return onnx.SparseTensorProto(values=tensor(f"{name}/values"), indices=tensor(f"{name}/indices"), dims=[8])

    def node(name: str) -> Any:
        inner = onnx.GraphProto(initializer=[tensor(f"{name}/inner")], sparse_initializer=[sparse(f"{name}/s")])
        return onnx.NodeProto(
            attribute=[
                onnx.AttributeProto(name="a", t=tensor(f"{name}/t"), tensors=[tensor(f"{name}/ts")]),
                onnx.AttributeProto(name="b", g=inner, graphs=[inner], sparse_tensor=sparse(f"{name}/st")),
            ]
        )

    function = onnx.FunctionProto(name="f", node=[node("function")])
    function.attribute_proto.add(name="d", t=tensor("default"))
    training = onnx.TrainingInfoProto(algorithm=onnx.GraphProto(initializer=[tensor("training")]))
    whole = onnx.ModelProto(
        producer_name="p" * 300,
        graph=onnx.GraphProto(initializer=[tensor("plain")], node=[node("node")]),
        functions=[function],
        training_info=[training],
    )
    (tmp_path / "model.onnx").write_bytes(whole.SerializeToString())
    parts = [f"{where}/{part}" for where in ("node", "function") for part in ("t", "ts", "inner")]
    parts += [
        f"{where}/{kind}/{part}"
        for where in ("node", "function")
        for kind in ("s", "st")
        for part in ("values", "indices")
    ]
    assert places(tmp_path / "model.onnx") == {"plain", "default", "training", *parts}


@pytest.mark.parametrize("data", [b"\x3a\xff", b"\x3a\x05abc", b"\x3b", b"\xff" * 30, b"\x3a\x02\x2a\x7f", b"\x09abc"])
def test_no_graph(attack: Any, tmp_path: Path, data: bytes) -> None:
    export = attack("export_weights_elsewhere").make(tmp_path, "model.bin")
    (export / "model.onnx").write_bytes(data)
    with pytest.raises(InputError, match="is no ONNX graph"):
        read_artefact(attack("export_weights_elsewhere").listed(export))


def test_links_of_a_hub_cache_and_hard_links(tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "00").write_bytes(b"x")
    (snapshot / "model.bin").symlink_to("../../blobs/00")
    os.link(blobs / "00", snapshot / "hard.bin")
    (snapshot / "near.bin").symlink_to("hard.bin")
    for name in ("model.bin", "hard.bin", "near.bin"):
        check_inside(snapshot, name)
