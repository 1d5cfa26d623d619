"""What a watch judges by: replaced as a whole where one that began with nothing has learned a line of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from anomalyclip.detect.pipeline import Finished, Rules
    from anomalyclip.detect.result import Provenance, Result
    from anomalyclip.detector import Detector


class Learning(Protocol):
    """What learns from the pictures that go by."""

    def note(self, finished: Finished) -> None:
        """A picture was judged. Called from several threads. Raises OutputError."""

    def discard(self, key: bytes) -> None:
        """It does not count after all."""

    def settle(self, result: Result) -> Mapping[str, Any]:
        """It counts: called within the transaction of its row; gives what the row's settings say of the learning."""

    def ready(self) -> Judging | None:
        """What judges from now on, where that is another; called between pictures."""


@dataclass(frozen=True, eq=False)
class Judging:
    """A model, and what its scores mean.

    p_value: of a score, from a profile. learning: None where nothing is learned.
    """

    model: Detector
    rules: Rules
    provenance: Provenance
    p_value: Callable[[float], float] | None = None
    learning: Learning | None = None
