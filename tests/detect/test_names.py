"""Output names: unique whatever the inputs, and the same again."""

from __future__ import annotations

import os

from hypothesis import given
from hypothesis import strategies as st

from anomalyclip.detect.names import NameRegistry, path_key

_PART = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
_NAMES = st.lists(st.tuples(st.sampled_from(["", "a/", "A/", "b/c/"]), _PART), min_size=1, max_size=30, unique=True)


@given(_NAMES)
def test_no_two_inputs_share_a_name_and_a_second_pass_gives_the_same(names: list[tuple[str, str]]) -> None:
    relatives = [folder + part for folder, part in names]

    def claim_all() -> list[str]:
        registry = NameRegistry()
        return [registry.claim(r, path=f"/in/{r}", key=path_key(f"/in/#{i}")) for i, r in enumerate(relatives)]

    claimed = claim_all()
    assert len({name.casefold() for name in claimed}) == len(claimed)
    assert claimed == claim_all()
    for name in claimed:
        assert not os.path.isabs(name)  # noqa: PTH117
        assert ".." not in name.split("/")
        assert all(0 < len(os.fsencode(part)) <= 255 - len(".tiff") for part in name.split("/"))


def test_stems_meet_and_part_readably() -> None:
    registry = NameRegistry()
    given_paths = ["x.png", "x.jpg", "x.bmp"]
    names = [registry.claim(p, path=f"/in/set/{p}", key=path_key(f"/in/set/{p}")) for p in given_paths]
    assert names == ["x", "set/x", "x_bmp"]
    again = registry.claim("x.png", path="/other/x.png", key=path_key("/other/x.png"))
    assert again == "other/x"


def test_a_restored_name_is_kept_by_its_owner_and_closed_to_others() -> None:
    registry = NameRegistry()
    registry.restore("x-old", path_key("/in/x.png"))
    registry.restore("y", path_key("/elsewhere/y.png"))
    assert registry.claim("x.png", path="/in/x.png", key=path_key("/in/x.png")) == "x-old"
    assert registry.claim("y.png", path="/in/y.png", key=path_key("/in/y.png")) == "in/y"


def test_long_and_undecodable_names_are_shortened_and_kept_apart() -> None:
    registry = NameRegistry()
    long = [os.fsdecode(b"\xff" * 240 + tail + b".png") for tail in (b"a", b"b")]
    names = [registry.claim(p, path=f"/in/{p}", key=path_key(f"/in/{p}")) for p in long]
    assert len(set(names)) == 2
    assert all(len(os.fsencode(n)) <= 220 for n in names)


def test_keys_follow_the_real_path() -> None:
    assert path_key("/in/a/../x.png") == path_key("/in/x.png") != path_key("/in/y.png")
    assert path_key("x.png", cwd="/in") == path_key("/in/x.png")
