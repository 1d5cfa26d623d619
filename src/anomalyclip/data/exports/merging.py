"""From what exports mark to a data set: alone, or lending masks to folders that tell the labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from anomalyclip.data.dataset import ANOMALOUS, NORMAL
from anomalyclip.data.draft import Draft
from anomalyclip.data.exports.finding import listed_in
from anomalyclip.data.exports.marks import Annotations, Marked
from anomalyclip.data.masks import DrawnMask
from anomalyclip.data.places import Places, is_named_after
from anomalyclip.io.names import printable


def merge(annotations: Annotations, draft: Draft, class_name: str) -> None:
    """Every image of the exports: anomalous where something is marked. Boxes and lines tell the label, no pixels."""
    boxes = []
    for path, marked in sorted(annotations.images.items()):
        label = ANOMALOUS if marked.anomalous else NORMAL
        mask = _mask(marked)
        if label and mask is None:
            boxes.append(path)
        draft.add(path, mask, label, class_name, _kind(marked))
        draft.pixel_level |= mask is not None
    others = [path for path in Places(draft.root).images() if path not in annotations.images]
    if annotations.complete:
        # Those in the folders of other splits are their exports' to list, and so are those that these list.
        others = [path for path in others if not is_named_after(path.parent, draft.root, annotations.others)]
        if others and annotations.left:
            others = sorted(set(others).difference(listed_in(annotations.left, draft.root)))
        draft.problem_files("images that the export does not list (not used)", others)
    else:  # the tool writes a file for images with marks only
        elsewhere = [path for path in others if is_named_after(path, draft.root, annotations.others)]
        draft.problem_files("images of another split (not used)", elsewhere)
        others = sorted(set(others).difference(elsewhere))
        for path in others:
            draft.add(path, None, NORMAL, class_name)
        if others:
            draft.notes.append(f"{len(others)} images without an annotation file count as normal")
    draft.notes += annotations.notes
    _tell(annotations, draft, boxes)


def lend_masks(annotations: Annotations, draft: Draft) -> None:
    """Give folders' images the masks that the exports hold; the folders keep telling who is anomalous."""
    boxes = []
    for number, item in enumerate(draft.items):
        marked = annotations.images.get(item.image)
        if marked is None or item.mask is not None or not marked.anomalous:
            continue
        mask = _mask(marked)
        if mask is None:
            boxes.append(item.image)
            continue
        draft.items[number] = replace(item, mask=mask)
        draft.pixel_level = True
    _tell(annotations, draft, boxes)


def _mask(marked: Marked) -> DrawnMask | None:
    if marked.shapes and not marked.boxes and marked.size is None:
        from anomalyclip.io.masks import shown_size

        marked.size = shown_size(marked.image)
    return marked.mask()


def _kind(marked: Marked) -> str:
    kinds = list(dict.fromkeys(marked.kinds))
    return printable(kinds[0]) if len(kinds) == 1 else "combined" if kinds else ""


def _tell(annotations: Annotations, draft: Draft, boxes: list[Path]) -> None:
    drawn = sum(isinstance(item.mask, DrawnMask) for item in draft.items)
    what = f"masks of {drawn} images are drawn" if drawn else "labels are read"
    draft.notes.append(f"{what} from {', '.join(annotations.tools)} annotations")
    draft.problem_files(
        "images have boxes, lines, points or tags, of no pixels, and so no mask (the label counts)", boxes
    )
    draft.problem_names("annotated images that do not exist (not used)", annotations.missing)
