"""A template beside each picture of a fault: NAME_temp.jpg and NAME_test.jpg (DeepPCB)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.listings import folded, pictures_below

_LEAST_SHARE = 0.5  # of the pictures: fewer are called so for another reason
_GOOD, _FAULTY = "_temp", "_test"


@dataclass(frozen=True)
class Templates:
    """Every template is normal, every picture of a test anomalous; boxes hold no pixels."""

    words: str = "NAME_temp.jpg (good) beside NAME_test.jpg (faulty), at any depth (DeepPCB)"
    splits: frozenset[str] = frozenset({"test"})

    def fits(self, root: Path) -> bool:
        pairs = _pairs(root)
        return bool(pairs) and 2 * len(pairs) >= _LEAST_SHARE * len(pictures_below(root))

    def classes(self, root: Path) -> tuple[str, ...]:
        return (root.name,)

    def read(self, root: Path, draft: Draft) -> None:
        pairs = _pairs(root)
        for template, _ in pairs:
            draft.add(template, None, NORMAL, root.name)
        for _, faulty in pairs:
            draft.add(faulty, None, ANOMALOUS, root.name)
        used = {path for two in pairs for path in two}
        rest = [path for path in pictures_below(root) if path not in used]
        draft.problem_files("pictures without a template or without a test (not used)", rest)


def _pairs(root: Path) -> list[tuple[Path, Path]]:
    """(template, picture of a test) of one name in one folder."""
    known = {(path.parent, folded(path.stem)): path for path in pictures_below(root)}
    stems = ((folder, stem.removesuffix(_GOOD), path) for (folder, stem), path in known.items() if stem.endswith(_GOOD))
    return [(path, other) for folder, name, path in stems if (other := known.get((folder, name + _FAULTY))) is not None]
