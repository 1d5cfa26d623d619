"""A watch that learns from nothing: its first pictures become a profile, which judges and goes on learning.

The pictures are kept as files beside the profile, where people can look at them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.calibration import read_profile
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.making import Maker
from anomalyclip.calibration.measured import Measured, collect
from anomalyclip.detect.inputs import iter_inputs
from anomalyclip.detect.pipeline import file_reader
from anomalyclip.errors import ConfigError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anomalyclip.calibration.profile import Profile
    from anomalyclip.detect.inputs import InputItem
    from anomalyclip.detect.pipeline import Finished
    from anomalyclip.detect.result import Result
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.watching.judging import Judging

FOLDER, PROFILE = "learned", "line.json"

WANTED = 25
"""Pictures that the profile is made of."""

SEEN = 50
"""Without a threshold: of so many the half that the words find least odd, so that up to half may be faulty."""


@dataclass
class Beginning:
    """Gathers the first pictures, as `Learning` does.

    folder: of the watch. threshold: of the words' scores, from which a picture is not taken; None takes SEEN and keeps
    the lower half. judged_by: makes what judges from a profile. tell: takes a line for people. reading: how the watch
    reads, which the profile records.
    """

    folder: Path
    model: Detector
    geometry: Geometry
    areas: Areas
    threshold: float | None
    judged_by: Callable[[Profile], Judging]
    tell: Callable[[str], None]
    batch_size: int = 1
    workers: int = 2
    reading: Reading = field(default_factory=Reading)

    def __post_init__(self) -> None:
        self._guard, self._written = threading.Lock(), dict[bytes, Path]()
        if self.areas.folder is not None:
            raise ConfigError(
                "--learn without --profile keeps pictures under names of its own, so that a folder of --ignore-mask "
                "does not match them: calibrate with good pictures first"
            )
        try:
            self._pictures.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self._pictures, error) from error

    def note(self, finished: Finished) -> None:
        """Keep a picture that may be among the first; the same picture twice, and again after a kill, is one file."""
        from anomalyclip.io import write_image

        score = finished.result.score
        assert score is not None
        if self.threshold is not None and score >= self.threshold:
            return
        image = finished.original()
        place = self._pictures / f"{score:.6f}-{blake2b(image.tobytes(), digest_size=8).hexdigest()}.png"
        if not place.exists():
            write_image(place, image)
            with self._guard:
                self._written[finished.result.item.key] = place

    def discard(self, key: bytes) -> None:
        """Forget a picture that does not count."""
        with self._guard:
            place = self._written.pop(key, None)
        if place is not None:
            place.unlink(missing_ok=True)

    def settle(self, result: Result) -> Mapping[str, Any]:
        """Rows are the words' own."""
        with self._guard:
            self._written.pop(result.item.key, None)
        return {}

    def ready(self) -> Judging | None:
        """What judges once there are pictures enough. Raises what making a profile raises."""
        kept = sorted(self._pictures.glob("*.png"))
        if len(kept) < (SEEN if self.threshold is None else WANTED):
            return None
        self.tell(f"Learning a line from {WANTED} of the first pictures, see {printable(self._pictures)} ...")
        made = self._made(kept[:WANTED])
        made.save(self.folder / FOLDER / PROFILE)
        self.tell(
            f"The line is {printable(self.folder / FOLDER / PROFILE)}: {made.count} pictures, at most "
            f"{made.image.rate:.3g} false alarms. If a fault is among them, begin anew with another --output."
        )
        return self.judged_by(read_profile(self.folder / FOLDER / PROFILE))

    @property
    def _pictures(self) -> Path:
        return self.folder / FOLDER / "pictures"

    def _made(self, pictures: Sequence[Path]) -> Profile:
        items = list(iter_inputs([str(one) for one in pictures]))

        def measure(model: Detector, items: Sequence[InputItem], known: Measured | None) -> Measured:
            options: dict[str, Any] = {"batch_size": self.batch_size, "workers": self.workers}
            options |= {"geometry": self.geometry, "areas": self.areas, "read": file_reader(self.reading)}
            return collect(model, items, known=known, **options)

        maker = Maker(
            self.model,
            self.geometry,
            self.areas,
            rates=(DEFAULT_RATE, DEFAULT_RATE),
            pixel_rule="image",
            name="learned",
            memory=True,
            split=False,
            self_test=False,
            reading=self.reading,
            read=file_reader(self.reading),
            measure=measure,
        )
        return maker.make(items, None, None).profile


def begun(folder: Path) -> Profile | None:
    """The profile that an earlier run of the watch has learned; None where there is none yet."""
    place = folder / FOLDER / PROFILE
    return read_profile(place) if place.exists() else None
