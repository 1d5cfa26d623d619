"""The ring stays within its bounds, whatever comes, and forgets what a killed watcher left half done."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect import Finished, InputItem, Result
from anomalyclip.errors import OutputError
from anomalyclip.watching import room
from anomalyclip.watching.evidence import Bounds, EvidenceRing
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.room import ROOM

Make = Callable[..., Finished]


@pytest.fixture
def finished() -> Make:
    """finished(3) is an anomalous image of noise number 3, 32 x 24."""

    def make(number: int, decision: str = "anomalous", name: str = "part", side: int = 32) -> Finished:
        pixels = np.random.default_rng(number).integers(0, 256, (side * 3 // 4, side, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        item = InputItem(f"{name}.png", name, number.to_bytes(16, "big"))
        result = Result(item, image.width, image.height, 0.75, decision)  # type: ignore[arg-type]
        return Finished(result, image, np.full(pixels.shape[:2], 0.5, np.float32), lambda: image)

    return make


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_an_anomaly_is_kept_whole_and_a_normal_image_is_not(output: Path, journal: Journal, finished: Make) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    for one in (finished(1), finished(2, "normal")):
        ring(one)
    assert ring.keep((2).to_bytes(16, "big")) is None
    folder = ring.keep((1).to_bytes(16, "big"))
    assert folder is not None
    assert list((output / "evidence").iterdir()) == [folder]
    with Image.open(folder / "image.png") as image:
        assert np.array_equal(image, finished(1).original())
    with Image.open(folder / "overlay.png") as overlay:
        assert overlay.width > 32
    assert json.loads((folder / "row.json").read_bytes()) == {"path": "part.png", "score": 0.75, "regions": []}


def test_the_oldest_go_first_by_count_and_by_size(output: Path, journal: Journal, finished: Make) -> None:
    ring = EvidenceRing(output, journal, Bounds(count=3), (None, None))
    kept = []
    for number in range(6):
        ring(finished(number))
        kept.append(ring.keep(number.to_bytes(16, "big")))
        assert len(list(ring.path.iterdir())) <= 3
    assert sorted(ring.path.iterdir()) == sorted(folder for folder in kept[3:] if folder is not None)
    limit = _size(ring.path) - 1
    ring = EvidenceRing(output, journal, Bounds(count=3, size=limit), (None, None))
    assert len(list(ring.path.iterdir())) == 2, "lower bounds hold from the start"
    ring(finished(7, side=640))
    assert _size(ring.path) > limit
    assert ring.keep((7).to_bytes(16, "big")) is None, "one that is too large by itself is not kept"
    assert list(ring.path.iterdir()) == []
    assert journal.evidence() == []


def test_leftovers_are_swept_and_other_files_stay(output: Path, journal: Journal, finished: Make) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (None, None))
    for number in (1, 2):
        ring(finished(number, name="sub=dir/../\udce9 \n.x" * 20))
    kept = ring.keep((1).to_bytes(16, "big"))  # number 2 was written, and the watcher killed
    assert kept is not None
    (ring.path / f".{kept.name}.tmp").mkdir()
    (ring.path / "notes").mkdir()
    EvidenceRing(output, journal, Bounds(), (None, None))
    assert sorted(entry.name for entry in ring.path.iterdir()) == sorted([kept.name, "notes"])
    ring = EvidenceRing(output, journal, Bounds(count=0), (None, None))
    ring(finished(3))
    assert [entry.name for entry in ring.path.iterdir()] == ["notes"]


def test_evidence_that_cannot_be_written_says_so(output: Path, journal: Journal, finished: Make) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (None, None))
    ring.path.rmdir()
    with pytest.raises(OutputError, match=r"cannot write .*evidence"):
        ring(finished(1))
    ring.path.mkdir()
    ring(finished(1))
    ring.discard((1).to_bytes(16, "big"))
    assert list(ring.path.iterdir()) == []


@pytest.fixture
def small_disk() -> Iterator[Callable[[int | None], None]]:
    """small_disk(bytes): no file may be larger, as on a disk that is full; None ends that."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (before[0] if most is None else most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_evidence_that_found_no_room_is_written_when_there_is_some(
    output: Path, journal: Journal, finished: Make, small_disk: Callable[[int | None], None]
) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    small_disk(1000)
    for number in (1, 2):
        with pytest.raises(OutputError, match=r"evidence.*as soon as there is room"):
            ring(finished(number))
    assert ring.retry() == 0, "they are not settled"
    assert ring.keep((1).to_bytes(16, "big")) is None
    ring.discard((2).to_bytes(16, "big"))  # a picture that does not count: its file changed meanwhile
    assert ring.retry() == 1
    assert list(ring.path.iterdir()) == []
    small_disk(None)
    assert ring.retry() == 0
    (folder,) = ring.path.iterdir()
    assert [name for name, _ in journal.evidence()] == [folder.name]
    with Image.open(folder / "image.png") as image:
        assert np.array_equal(image, finished(1).original())
    assert sorted(path.name for path in folder.iterdir()) == ["image.png", "overlay.png", "row.json"]


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """full_disk(True): no more room for folders of evidence; places that were taken before can be written."""

    def full(yes: bool) -> None:
        def mkdir(path: Path, *args: object, **options: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))

        if yes:
            monkeypatch.setattr(Path, "mkdir", mkdir)
        else:
            monkeypatch.undo()

    return full


def _miss(ring: EvidenceRing, finished: Make, number: int, **options: object) -> None:
    with pytest.raises(OutputError, match="as soon as there is room"):
        ring(finished(number, **options))
    assert ring.keep(number.to_bytes(16, "big")) is None


def test_what_waits_outlives_the_watch(
    output: Path, journal: Journal, finished: Make, full_disk: Callable[[bool], None]
) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    full_disk(True)
    for number in (1, 2, 3):
        _miss(ring, finished, number)
    full_disk(False)
    again = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))  # the first was killed: nobody closed it
    assert len(again.waiting) == 0
    folders = sorted(again.path.iterdir())
    assert sorted(name for name, _ in journal.evidence()) == [folder.name for folder in folders]
    found = {np.asarray(Image.open(folder / "image.png")).tobytes() for folder in folders}
    assert found == {np.asarray(finished(number).original()).tobytes() for number in (1, 2, 3)}
    assert again.close() == (0, 0)
    assert not (output / ROOM).exists()
    assert len(list(EvidenceRing(output, journal, Bounds(), (0.5, 0.4)).path.iterdir())) == 3, "each once"


def test_what_was_written_before_a_kill_is_not_written_again(
    output: Path, journal: Journal, finished: Make, full_disk: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    full_disk(True)
    for number in (1, 2):
        _miss(ring, finished, number)
    ring.discard((2).to_bytes(16, "big"))  # its row could not be recorded: it comes again
    full_disk(False)
    monkeypatch.setattr(ring.waiting, "done", lambda: exit("killed"))
    with pytest.raises(SystemExit):
        ring.retry()
    assert len(list(ring.path.iterdir())) == 1
    again = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    assert len(list(again.path.iterdir())) == 1
    assert len(journal.evidence()) == 1


def test_what_no_file_can_keep_is_told(
    output: Path, journal: Journal, finished: Make, full_disk: Callable[[bool], None]
) -> None:
    (output / ROOM).mkdir()
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    full_disk(True)
    for number in (1, 2):
        _miss(ring, finished, number)
    assert ring.close() == (0, 2)


def test_what_waits_for_room_is_bounded(
    output: Path,
    journal: Journal,
    finished: Make,
    small_disk: Callable[[int | None], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ring = EvidenceRing(output, journal, Bounds(), (0.5, 0.4))
    monkeypatch.setattr(room, "MOST_WAITING", 40_000)
    small_disk(1000)
    for number in range(30):
        with pytest.raises(OutputError):
            ring(finished(number))
        ring.keep(number.to_bytes(16, "big"))
    small_disk(None)
    assert 1 <= (count := len(ring.waiting)) < 30
    assert ring.waiting.size <= 40_000
    assert ring.waiting.first.key == (30 - count).to_bytes(16, "big"), "the oldest are given up"
    assert ring.retry() == 0
