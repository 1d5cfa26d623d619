"""Files of an export that are links to elsewhere, and those that are not."""

from __future__ import annotations

import os

import pytest

from anomalyclip.encoders.sidecar import check_inside
from anomalyclip.errors import InputError


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret.bin", "../other/model.bin"])
def test_links_to_elsewhere(tmp_path, target):
    folder = tmp_path / "export"
    folder.mkdir()
    (folder / "model.bin").symlink_to(target)
    with pytest.raises(InputError, match="a link out of its folder"):
        check_inside(folder, "model.bin")


def test_links_of_a_hub_cache_and_hard_links(tmp_path):
    blobs, snapshot = tmp_path / "models--a--b" / "blobs", tmp_path / "models--a--b" / "snapshots" / "abc"
    blobs.mkdir(parents=True)
    snapshot.mkdir(parents=True)
    (blobs / "00").write_bytes(b"x")
    (snapshot / "model.bin").symlink_to("../../blobs/00")
    os.link(blobs / "00", snapshot / "hard.bin")
    (snapshot / "near.bin").symlink_to("hard.bin")
    for name in ("model.bin", "hard.bin", "near.bin"):
        check_inside(snapshot, name)
