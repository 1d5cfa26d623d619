"""A layout whose truth stands in a CSV inside the data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from anomalyclip.data.draft import Draft
from anomalyclip.data.folder_names import PHASES
from anomalyclip.data.listings import child, pictures
from anomalyclip.errors import InputError


@dataclass(frozen=True)
class Listed:
    """A CSV inside the data set says what each image is; paths are relative to the root.

    file: where the CSV lies; options: the first that exists. numbered: for HeadCT, whose CSV holds running numbers:
    column of the number, of the label, and the folders in which NNN.png may lie.
    """

    file: str
    words: str
    class_name: str | None = None
    numbered: tuple[str, str, tuple[str, ...]] | None = None
    splits: frozenset[str] = field(default=PHASES)

    def _file(self, root: Path) -> Path:
        return child(root, *self.file.split("/"))

    def fits(self, root: Path) -> bool:
        from anomalyclip.data.tables import columns_of

        if not self._file(root).is_file():
            return False
        return self.numbered is None or set(self.numbered[:2]) <= set(columns_of(self._file(root)))

    def classes(self, root: Path) -> tuple[str, ...]:
        return (self.class_name,) if self.class_name else ()

    def read(self, root: Path, draft: Draft) -> None:
        from anomalyclip.data.table_items import read_table
        from anomalyclip.data.tables import read_rows

        if self.numbered is None:
            read_table(self._file(root), draft, class_name=self.class_name)
            return
        number, label, places = self.numbered
        base = next((p for name in places if pictures(p := child(root, *name.split("/")))), root)
        images = {int(path.stem): path for path in pictures(base) if path.stem.isdecimal()}
        for line, row in read_rows(self._file(root)):
            where = f"{draft.show(self._file(root))}, line {line}"
            if not row[number].isdecimal() or row[label] not in ("0", "1"):
                raise InputError(f"{where}: expected a number and 0 or 1, got {row[number]!r} and {row[label]!r}")
            image = images.pop(int(row[number]), None)
            if image is None:
                draft.problems.append(f"{where}: there is no image {row[number]} in {draft.show(base)}")
                continue
            draft.add(image, None, int(row[label]), self.class_name or root.name)
        draft.problem_files("images without a label (not used)", list(images.values()))
