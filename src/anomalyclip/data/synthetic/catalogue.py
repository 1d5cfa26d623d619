"""The two tables: every family that can be rendered, every defect that can befall it, and which goes with which."""

from __future__ import annotations

from . import (
    arrays,
    colon,
    electronics,
    heads,
    materials_fabric,
    materials_metal,
    materials_patterned,
    materials_soft,
    materials_stone,
    materials_wood,
    materials_worked,
    medical,
    medical_scans,
    objects_composite,
    objects_goods,
    objects_kinds,
    objects_long,
    objects_round,
    scans_kinds,
    solar,
)
from . import defects_lines as lines
from . import defects_material as material
from . import defects_medical as findings
from . import defects_parts as parts
from . import defects_spots as spots
from . import defects_structure as structure
from . import defects_wide as wide
from .scene import Family, Renderer
from .spot import Defect, Maker


def _family(
    name: str,
    renderer: Renderer,
    domain: str,
    traits: str,
    camera: str = "photo",
    free: bool = False,
    weight: float = 1.0,
    world: int = 1,
) -> Family:
    return Family(name, renderer, domain, frozenset(traits.split()), camera, free, weight, world)


_HARD, _SOFT, _OBJECT = "surface hard", "surface soft", "surface hard edge"

FAMILIES: dict[str, Family] = {
    f.name: f
    for f in (
        _family("wood", materials_wood.wood, "texture", "surface hard wood edge grain", "photo", False, 2.0),
        _family("rough_wood", materials_wood.rough_wood, "texture", _HARD, free=True, weight=0.5),
        _family("brushed_metal", materials_metal.brushed, "texture", "surface hard metal grain", "inspection", True),
        _family(
            "magnetic_tile",
            materials_metal.magnetic_tile,
            "texture",
            "surface hard metal edge grain cast",
            "inspection",
            False,
            2.5,
        ),
        _family("cast_metal", materials_metal.cast, "texture", "surface hard metal cast", "inspection", True),
        _family("painted_metal", materials_metal.painted_metal, "texture", "surface hard metal coat print", free=True),
        _family(
            "machined_metal", materials_metal.stamped_plate, "texture", "surface hard metal cast", "inspection", True
        ),
        _family("fabric", materials_fabric.fabric, "texture", "surface soft thread", "line", True, 3.0),
        _family("denim", materials_fabric.denim, "texture", "surface soft thread", free=True, weight=0.6),
        _family("knit", materials_fabric.knit, "texture", "surface soft thread", free=True, weight=0.8),
        _family("carpet", materials_fabric.carpet, "texture", "surface soft thread", free=True),
        _family("felt", materials_fabric.felt, "texture", _SOFT, free=True, weight=0.6),
        _family("leather", materials_soft.leather, "texture", "surface soft hide", free=True, weight=1.4),
        _family("stone_tile", materials_stone.stone_tile, "texture", _HARD, free=True, weight=1.6),
        _family("concrete", materials_stone.concrete, "texture", "surface hard cast", free=True, weight=1.2),
        _family("asphalt", materials_stone.asphalt, "texture", _HARD, free=True, weight=1.2),
        _family("bricks", materials_stone.bricks, "texture", "surface hard periodic", weight=0.6),
        _family("granules", materials_stone.granules, "texture", "surface pile", free=True, weight=0.6),
        _family("plastic", materials_soft.plastic, "texture", "surface hard soft coat", free=True),
        _family("paper", materials_soft.paper, "texture", "surface soft print"),
        _family("foam", materials_soft.foam, "texture", "surface soft cast", free=True, weight=0.7),
        _family("glass", materials_soft.glass, "texture", "surface hard coat", free=True, weight=0.7),
        _family("mesh", materials_soft.mesh, "texture", "surface soft periodic wire", free=True, weight=1.2),
        _family("display", materials_soft.gradient_panel, "electronics", "surface hard coat", "inspection", weight=0.5),
        _family("bottle", objects_round.bottle, "object", _OBJECT, weight=1.2),
        _family("nut", objects_round.nut, "object", _OBJECT + " metal"),
        _family("washer", objects_round.washer, "object", _OBJECT + " soft"),
        _family("gear", objects_round.gear, "object", _OBJECT + " metal"),
        _family("cap", objects_round.cap, "object", _OBJECT + " print"),
        _family("cable", objects_round.cable, "object", _OBJECT + " parts soft"),
        _family("bearing", objects_round.bearing, "object", _OBJECT + " parts metal"),
        _family("candle", objects_round.candle, "object", _OBJECT),
        _family("screw", objects_long.screw, "object", _OBJECT + " metal", weight=1.2),
        _family("capsule", objects_long.capsule, "object", _OBJECT + " print"),
        _family("pill", objects_long.pill, "object", _OBJECT + " print"),
        _family("toothbrush", objects_long.toothbrush, "object", _OBJECT + " parts soft"),
        _family("zipper", objects_long.zipper, "object", "surface soft thread parts"),
        _family("tool", objects_long.tool, "object", _OBJECT + " parts"),
        _family("connector", objects_long.connector, "electronics", _OBJECT + " parts"),
        _family("food", objects_goods.food, "object", _OBJECT + " organic", weight=1.6),
        _family("vial", objects_goods.bottle_side, "object", _OBJECT + " parts print", "upright"),
        _family("tray", arrays.tray, "assembly", _OBJECT + " parts", weight=1.6),
        _family("scatter", arrays.scatter, "assembly", _OBJECT + " parts"),
        _family("assembly", arrays.assembly, "assembly", _OBJECT + " parts print", weight=1.4),
        _family("label", arrays.label, "print", "surface soft edge print"),
        _family("rods", arrays.stack, "assembly", "surface hard parts edge", weight=0.7),
        _family("endoscopy", medical.endoscopy, "medical", "tissue", "scope", weight=2.5),
        _family("skin", medical.skin, "medical", "derma", weight=1.2),
        _family("retina", medical.retina, "medical", "tissue", "scope", weight=0.6),
        _family("histology", medical.histology, "medical", "film scan", weight=0.5),
        _family("brain", medical_scans.brain, "medical", "scan", "scan", weight=2.5),
        _family("body_ct", medical_scans.body_ct, "medical", "scan", "scan", weight=0.8),
        _family("xray", medical_scans.xray, "medical", "scan", "scan", weight=0.8),
        _family("ultrasound", medical_scans.ultrasound, "medical", "scan", "scan", weight=0.8),
        _family("micrograph", medical_scans.micrograph, "texture", "surface film", "inspection", True, 0.8),
        _family("solar_cell", solar.solar_cell, "electronics", "solar", "glow", weight=2.5),
        _family(
            "circuit_board", electronics.circuit_board, "electronics", "board parts print surface hard", weight=2.0
        ),
        _family("chip", electronics.chip, "electronics", "edge parts print surface hard"),
        _family("wafer", electronics.wafer, "electronics", "surface hard periodic", "inspection", weight=0.8),
        _family("battery", electronics.battery, "electronics", _OBJECT + " parts print metal", weight=0.8),
        _family("colon", colon.colon, "medical", "tissue", "scope", weight=4.0, world=2),
        _family("head_mri", heads.head_mri, "medical", "scan head", "scan", weight=4.0, world=2),
        _family(
            "mounted_part", objects_composite.mounted_part, "electronics", _OBJECT + " parts print", weight=3, world=4
        ),
        _family("kernel", objects_composite.kernel, "object", _OBJECT + " organic", weight=4, world=4),
        _family("bolt", objects_composite.bolt, "object", _OBJECT + " parts metal", weight=1.5, world=4),
        _family("insulator", objects_composite.insulator, "assembly", _OBJECT + " parts", weight=2, world=4),
        _family("pads", objects_composite.pads, "electronics", "board parts print surface hard", weight=2, world=4),
        *(
            _family(maker.__name__, maker, domain, traits, camera, free, world=5)
            for domain, traits, camera, free, makers in (
                (
                    "texture",
                    "surface soft thread print",
                    "photo",
                    True,
                    (materials_patterned.patterned_cloth, materials_patterned.seam),
                ),
                ("texture", "surface soft thread wire periodic", "photo", True, (materials_patterned.gauze,)),
                ("texture", _SOFT, "photo", True, (materials_patterned.bonded_web, materials_patterned.cardboard)),
                ("texture", "surface soft hide", "photo", True, (materials_patterned.quilt,)),
                ("texture", "surface hard periodic coat", "photo", True, (materials_patterned.mosaic,)),
                ("print", "surface soft print", "photo", False, (materials_patterned.printed_sheet,)),
                (
                    "texture",
                    "surface hard metal grain",
                    "inspection",
                    True,
                    (materials_worked.turned_metal, materials_worked.crosshatched_metal),
                ),
                (
                    "texture",
                    "surface hard metal grain cast",
                    "inspection",
                    True,
                    (materials_worked.rolled_steel, scans_kinds.weld),
                ),
                ("texture", "surface hard metal coat", "inspection", True, (materials_worked.galvanised,)),
                ("texture", "surface hard periodic metal", "photo", True, (materials_worked.perforated,)),
                ("texture", "surface hard wood", "photo", True, (materials_worked.end_grain,)),
                ("texture", "surface hard soft cast", "photo", True, (materials_worked.moulded,)),
                ("object", "surface organic pile", "photo", True, (objects_kinds.heap,)),
                ("object", _OBJECT + " organic", "photo", True, (objects_kinds.biscuit,)),
                ("object", _OBJECT + " soft", "photo", True, (objects_kinds.coil,)),
                ("object", _OBJECT + " print", "photo", False, (objects_kinds.dish,)),
                ("assembly", _OBJECT + " parts print", "photo", False, (objects_kinds.keys,)),
                ("electronics", "surface hard periodic coat", "photo", False, (objects_kinds.module,)),
                ("assembly", _OBJECT + " parts", "photo", True, (objects_kinds.plug,)),
                ("object", _OBJECT + " metal", "photo", True, (objects_kinds.sheet_parts,)),
                ("texture", "surface hard film cast", "scan", False, (scans_kinds.casting_xray,)),
                ("medical", "scan", "scan", False, (scans_kinds.limb_xray, scans_kinds.body_mri)),
                ("medical", "scan film", "scan", False, (scans_kinds.tissue_layers,)),
                ("medical", "surface film", "photo", True, (scans_kinds.smear,)),
                ("texture", "surface hard film", "photo", True, (scans_kinds.aggregate,)),
            )
            for maker in makers
        ),
    )
}
UNSEEN_FAMILIES: tuple[str, ...] = ("denim", "rough_wood", "gear", "toothbrush", "retina", "wafer", "rods")


def _defect(
    name: str,
    maker: Maker,
    noun: str,
    needs: str,
    area: tuple[float, float] = (0.002, 0.08),
    weight: float = 1.0,
    world: int = 1,
) -> Defect:
    return Defect(name, maker, noun, frozenset(needs.split()), area, weight, world)


DEFECTS: dict[str, Defect] = {
    d.name: d
    for d in (
        _defect("scratch", lines.scratch, "scratch", "surface solar", (0.002, 0.12), 1.6),
        _defect("crack", lines.crack, "crack", "hard film", (0.003, 0.15), 1.8),
        _defect("cut", lines.cut, "cut", "soft hide", (0.002, 0.06)),
        _defect("tear", lines.tear, "tear", "soft", (0.003, 0.1), 0.8),
        _defect("fibre", lines.fibre, "thread", "surface", (0.002, 0.04)),
        _defect("thread", lines.thread, "thread", "thread", (0.002, 0.1), 7.0),
        _defect("weave_band", lines.weave_band, "weave", "thread", (0.003, 0.08), 3.0),
        _defect("wrinkle", lines.wrinkle, "fold", "soft coat", (0.004, 0.1)),
        _defect("fray", lines.fray, "fibres", "thread soft", (0.003, 0.08)),
        _defect("glue", lines.glue, "glue", "surface", (0.003, 0.1), 0.8),
        _defect("fracture", lines.fracture, "break", "hard", (0.01, 0.2), 0.6),
        _defect("hole", spots.hole, "hole", "surface", (0.001, 0.06), 1.3),
        _defect("dent", spots.dent, "dent", "surface", (0.002, 0.1), 1.2),
        _defect("stain", spots.stain, "stain", "surface derma", (0.001, 0.25), 2.0),
        _defect("particle", spots.particle, "particle", "surface film", (0.0008, 0.04), 1.2),
        _defect("dust", spots.dust, "specks", "surface", (0.01, 0.25), 0.5),
        _defect("droplet", spots.droplet, "drop", "surface", (0.002, 0.06), 0.6),
        _defect("burn", spots.burn, "burn", "surface", (0.003, 0.12), 0.6),
        _defect("blowholes", spots.blowholes, "pores", "cast", (0.0008, 0.04), 5.0),
        _defect("bubbles", spots.bubbles, "bubbles", "coat hard", (0.002, 0.06), 0.6),
        _defect("rust", material.rust, "rust", "metal", (0.003, 0.2), 1.2),
        _defect("knot", material.knot, "knot", "wood", (0.0008, 0.04), 7.0),
        _defect("resin", material.resin, "streak", "wood", (0.002, 0.06), 3.5),
        _defect("poke", spots.poke, "puncture", "soft hide organic", (0.0008, 0.02)),
        _defect("recolour", material.recolour, "discolouration", "surface", (0.003, 0.3), 1.3),
        _defect("roughened", material.roughened, "rough area", "surface", (0.004, 0.3)),
        _defect("mould", material.mould, "mould", "organic wood soft pile", (0.004, 0.2), 0.6),
        _defect("paste", structure.paste, "patch", "surface film", (0.003, 0.2)),
        _defect("foreign", structure.foreign, "patch", "surface film derma", (0.001, 0.3), 1.5),
        _defect("turned", structure.turned, "patch", "grain thread periodic wire", (0.006, 0.2)),
        _defect("bend", structure.bend, "deformation", "soft edge wire periodic film scan", (0.006, 0.15), 1.2),
        _defect("broken_edge", structure.broken_edge, "broken edge", "edge", (0.002, 0.08), 4.0),
        _defect("missing", parts.missing, "missing part", "parts", (0.01, 0.1), 3.0),
        _defect("misplaced", parts.misplaced, "misplaced part", "parts", (0.01, 0.1), 2.0),
        _defect("extra", parts.extra, "extra part", "parts", (0.01, 0.1), 1.0),
        _defect("wrong_part", parts.wrong_part, "wrong part", "parts", (0.01, 0.1), 1.5),
        _defect("misprint", structure.misprint, "misprint", "print", (0.003, 0.08), 2.5),
        _defect("repeat_fault", structure.repeat_fault, "pattern fault", "wire periodic", (0.002, 0.06), 3.0),
        _defect("peeled", structure.peeled, "peeling", "coat", (0.003, 0.15), 1.5),
        _defect("uneven_patch", structure.uneven_patch, "uneven area", "metal grain coat", (0.01, 0.3), 2.0),
        _defect("bridge", structure.bridge, "solder", "board", (0.001, 0.02), 3.0),
        _defect("stripe_fault", structure.stripe_fault, "streaks", "metal coat grain", (0.004, 0.1), 0.8),
        _defect("polyp", findings.polyp, "growth", "tissue", (0.006, 0.25), 4.0),
        _defect("ulcer", findings.ulcer, "lesion", "tissue derma", (0.004, 0.15), 1.5),
        _defect("bleeding", findings.bleeding, "blood", "tissue derma", (0.002, 0.15)),
        _defect("mole", findings.mole, "lesion", "derma", (0.002, 0.15), 4.0),
        _defect("lesion", findings.lesion, "lesion", "scan", (0.003, 0.15), 4.0),
        _defect("nodule", findings.nodule, "nodule", "scan", (0.003, 0.08), 1.2),
        _defect("dark_area", findings.dark_area, "dark area", "solar", (0.01, 0.3), 3.0),
        _defect("cell_crack", findings.cell_crack, "crack", "solar", (0.004, 0.2), 4.0),
        _defect("finger_fault", findings.finger_fault, "finger interruption", "solar", (0.004, 0.1), 2.0),
        _defect("protrusion", wide.protrusion, "growth", "tissue", (0.008, 0.4), 8.0, 2),
        _defect("mass", wide.mass, "mass", "head", (0.004, 0.12), 12.0, 2),
        _defect("zone", wide.zone, "uneven area", "surface", (0.03, 0.4), 2.5, 2),
        _defect("coarse", wide.coarse, "coarse area", "grain", (0.03, 0.4), 8.0, 3),
        _defect("groove", wide.groove, "faint line", "surface solar", (0.002, 0.1), 2.5, 2),
    )
}


WORLD = 4
"""What is rendered unless told otherwise. Worlds 1 to 3 are what the tables were when the earlier phases of `pocket`'s
recipe were rendered."""

LATEST_WORLD = 5
"""The whole table. Its families are drawn where they are asked for by name (docs/pocket-log.md, run 29)."""


def inhabitants(world: int) -> list[Family]:
    """The families of a world, in the table's order."""
    return [family for family in FAMILIES.values() if family.world <= world]


def applicable(traits: frozenset[str], world: int = WORLD) -> list[Defect]:
    """The defects a scene with these traits can have in a world."""
    return [d for d in DEFECTS.values() if d.needs & traits and d.world <= world]
