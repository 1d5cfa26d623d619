"""The protocol against METHOD sections 6 and 8: which prompts for which target, and never trained where tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anomalyclip.errors import ConfigError, InputError
from anomalyclip.reproduction import METHODS, TABLES, ReproduceConfig, find_datasets
from anomalyclip.reproduction.cells import Cell, Shelf, lay_out
from anomalyclip.reproduction.judges import Backbone, choose, slug
from anomalyclip.reproduction.plan import Towers, Variant

Call = Callable[..., ReproduceConfig]
PAPERS = Backbone("vit-l-14-336", "0" * 64, Towers(24, 12), "published-mvtec")
OTHER = Backbone("./other.safetensors", "1" * 64, Towers(6, 6), None)


def judges(config: ReproduceConfig, backbone: Backbone = PAPERS) -> dict[tuple[str, str, str], object]:
    """(table, target, variant) -> Judge of every cell."""
    shelf = Shelf(find_datasets(config.root), config)
    found = {}
    for page in lay_out(config, shelf, backbone.towers):
        for cell in page.cells:
            protocol = page.table.auxiliary(cell.target)
            found[page.table.name, cell.target, cell.variant.label] = choose(cell, protocol, config, backbone, shelf)
    return found


def test_published_prompts(call: Call) -> None:
    """Section 4: learned on VisA for MVTec AD, learned on MVTec AD for all else."""
    chosen = {target: judge.spec for (_, target, _), judge in judges(call(train=False)).items()}
    assert len(chosen) == 17
    assert chosen.pop("MVTec AD") == "published-visa"
    assert set(chosen.values()) == {"published-mvtec"}


def test_own_training_follows_the_same_protocol(call: Call) -> None:
    learned = {target: judge.training.auxiliary for (_, target, _), judge in judges(call()).items()}
    assert learned.pop("MVTec AD") == ("VisA",)
    assert set(learned.values()) == {("MVTec AD",)}


def test_no_set_is_trained_and_tested_on(call: Call) -> None:
    found = judges(call(tables=("all",), methods=("all",)))
    assert {table for table, _, _ in found} == set(TABLES)
    trained = {key: judge.training.auxiliary for key, judge in found.items() if judge.training is not None}
    assert all(target not in auxiliary for (_, target, _), auxiliary in trained.items())
    assert {a for (table, _, _), a in trained.items() if table == "3"} == {("CVC-ColonDB",)}
    assert {a for (table, target, _), a in trained.items() if table in "5 dpam" and target == "VisA"} == {
        ("MVTec AD",), (),
    }  # fmt: skip  # () is "no loss"


def test_published_hyper_parameters(call: Call) -> None:
    given = call()
    config = ReproduceConfig(root=given.root, output=given.output, train=True)
    training = judges(config)["1", "VisA", "AnomalyCLIP"].training.config
    assert (training.epochs, training.batch_size, training.learning_rate, training.seed) == (15, 8, 1e-3, 111)
    assert (training.betas, training.method, training.split) == ((0.5, 0.999), "anomalyclip", "test")


def test_what_the_ablations_change(call: Call) -> None:
    found = judges(call(tables=("4", "5", "dpam", "length", "depth")))
    changed = {}
    for (table, target, label), judge in found.items():
        if target == "VisA" and judge.training is not None:
            config = judge.training.config
            changed[table, label] = (config.level, config.dpam, config.n_ctx, config.depth, config.layers)
    none = (None,) * 5
    assert changed["4", "+ T2: learned object-agnostic prompts"] == (None, None, None, 1, None)
    assert changed["4", "+ T3: learned tokens in the text encoder"] == none
    assert changed["4", "+ T4: features of four layers"] == (None, None, None, None, (6, 12, 18, 24))
    assert changed["5", "global loss"][0] == "image"
    assert changed["5", "local loss"][0] == "pixel"
    assert changed["5", "global and local loss"] == none
    assert {v[1] for (table, _), v in changed.items() if table == "dpam"} == {"qk", "qq", "kk", None}
    assert {v[2] for (table, _), v in changed.items() if table == "length"} == {4, 8, None, 16}
    assert {v[3] for (table, _), v in changed.items() if table == "depth"} == {1, 3, 5, 7, None, 11}
    same = (("4", "+ T3: learned tokens in the text encoder"), ("5", "global and local loss"), ("length", "length 12"))
    same += (("dpam", "V-V (the method's)"), ("depth", "depth 9"))
    assert len({found[table, "VisA", label].training for table, label in same}) == 1  # learned once


def test_other_backbones(call: Call) -> None:
    with pytest.raises(ConfigError, match=r"add --train .* or use --model vit-l-14-336"):
        judges(call(train=False), OTHER)
    own = judges(call(train=False), replace(OTHER, name="pocket", default_prompts="pocket"))
    assert {judge.spec for judge in own.values()} == {None}
    assert all("not learned by the paper's protocol" in judge.deviations[0] for judge in own.values())
    given = judges(call(train=False, prompts="clip"), OTHER)
    assert {judge.spec for judge in given.values()} == {"clip"}
    depths = [v.label for v in TABLES["depth"].lines(OTHER.towers, ())]
    assert depths == ["depth 1", "depth 3", "depth 5", "depth 6"]


def test_auxiliary_data_of_the_users_choice(call: Call, standins: Path) -> None:
    path = str(standins / "BTech_Dataset_transformed")
    config = call(tables=("1",), auxiliary=("MPDD", path))
    shelf = Shelf(find_datasets(config.root), config)
    (page,) = lay_out(config, shelf, PAPERS.towers)
    assert {cell.auxiliary for cell in page.cells} == {("MPDD", path)}
    assert {one.target for one in page.skipped} == {"MPDD", "BTAD"}
    assert all("the data they are tested on" in one.reason for one in page.skipped)
    judge = choose(page.cells[0], "VisA", config, PAPERS, shelf)
    assert judge.deviations[0].startswith("learned on MPDD + BTech_Dataset_transformed, the paper's on VisA")


def test_auxiliary_data_that_is_not_there(call: Call, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    (tmp_path / "few" / "VisA_20220922").symlink_to(call().root / "VisA_20220922")
    config = call(root=tmp_path / "few", tables=("1", "5"))
    pages = lay_out(config, Shelf(find_datasets(config.root), config), PAPERS.towers)
    assert pages[0].missing == ("MVTec AD", "MPDD", "BTAD", "SDD", "DAGM", "DTD-Synthetic")
    assert "MVTec AD, which was not found" in pages[0].skipped[0].reason
    assert [cell.variant.prompts for cell in pages[1].cells] == ["as initialised"]  # needs no data


def test_a_colon_set_alone_trains_the_local_loss(call: Call) -> None:
    judge = judges(call(tables=("3",)))["3", "HeadCT", "AnomalyCLIP"]
    assert judge.training.config.level == "pixel"
    assert any("local loss alone" in line for line in judge.deviations)
    both = judges(call(tables=("3",), auxiliary=("CVC-ColonDB", "BTAD")))["3", "HeadCT", "AnomalyCLIP"]
    assert both.training.config.level is None


def test_identity_knows_what_decides_the_numbers(call: Call, standins: Path) -> None:
    """Two settings, two trainings; another folder name or cache, the same."""
    config = call()
    shelf = Shelf(find_datasets(standins), config)
    cell = Cell(METHODS["anomalyclip"], "BTAD", ("MVTec AD",))

    def digest(other: ReproduceConfig = config, of: Cell = cell, backbone: Backbone = PAPERS) -> str:
        return choose(of, "MVTec AD", other, backbone, shelf).training.digest

    assert digest() == digest(call(output=Path("elsewhere"), cache_dir=None, threads=1, workers=1))
    different = {
        digest(),
        digest(call(epochs=2)),
        digest(call(seed=1)),
        digest(call(image_size=70)),
        digest(of=replace(cell, auxiliary=("VisA",))),
        digest(of=replace(cell, variant=Variant("x", None, cell.variant.prompts, {"depth": 1}))),
        digest(backbone=OTHER),
    }
    assert len(different) == 7


def test_names() -> None:
    assert slug("../é!") == "x"
    for wrong in ({"tables": ("6",)}, {"methods": ("patchcore",)}, {"train": True, "prompts": "clip"}, {"tables": ()}):
        with pytest.raises(ConfigError):
            ReproduceConfig(Path(), Path(), **wrong)
    with pytest.raises(InputError, match="unknown data set"):
        ReproduceConfig(Path(), Path(), datasets=("cifar",))
    config = ReproduceConfig(Path(), Path(), tables=("2", "1", "2"), methods=("all",), datasets=("mvtec", "MVTec AD"))
    assert (config.table_names, config.targets, config.method_names) == (("2", "1"), ("MVTec AD",), tuple(METHODS))
