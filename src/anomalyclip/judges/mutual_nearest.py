"""Of every two pictures how far each patch is from the nearest of the other's: both directions of a pair at once.

On compiled kernels from products of 8-bit codes, of which one is kept a picture; what these leave open is decided in
single precision, so that the outcome is that of the whole product but for rounding. Without kernels, and where places
are barred, the product is BLAS's.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.native.library import why_not
from anomalyclip.native.search_u8 import Codes, Turn, Whole, bank_codes, largest_values, query_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Picture:
    """patches: unit vectors (N, D). codes: the same in 8 bits, where pictures are compared by these."""

    patches: Floats
    codes: Codes | None = None

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return self.patches.nbytes + (0 if self.codes is None else self.codes.nbytes)


class Comparing:
    """How the pictures of one batch are compared.

    Args:
        load: unit vectors (N_i, D) of the patches of picture i. counts: N_i.
        codes: whether 8-bit codes may be used; what they find does not depend on which pictures a caller compares.
    """

    def __init__(self, load: Callable[[int], Floats], counts: Sequence[int], *, codes: bool = True) -> None:
        self._load, self._most = load, max(counts, default=0)
        self._turn: Turn | None = None
        if codes and len(counts) > 1 and why_not("int8") is None:
            # Less a mean, vectors are shorter and codes finer; any will do, so it is one that every caller finds.
            self._turn = Turn(np.asarray(load(0), np.float32).mean(axis=0))
        self._nothing = np.zeros(self._most, np.float32)  # taken from products
        self._buffer: Floats | None = None
        self._asking: tuple[Picture, Codes] | None = None

    @property
    def alone(self) -> bool:
        """Whether a comparison keeps to the thread that calls it; BLAS has threads of its own."""
        return self._turn is not None

    def picture(self, number: int) -> Picture:
        """What is compared of a picture."""
        patches = np.ascontiguousarray(self._load(number), np.float32)
        return Picture(patches, None if self._turn is None else bank_codes(patches, self._turn))

    def pair(
        self, one: Picture, other: Picture, barred: NDArray[np.bool_] | None = None
    ) -> Callable[[], tuple[Floats, Floats]]:
        """Gives 1 - cos (N,) and (M,) of the patches of two pictures to the nearest of the other's, when it is called.

        barred: (N, M), what is not compared; None is nothing.
        """
        if self._turn is None or one.codes is None or other.codes is None or barred is not None:
            return lambda: self._by_products(one.patches, other.patches, barred)
        if self._asking is None or self._asking[0] is not one:
            self._asking = one, query_codes(one.patches, self._turn)
        asked, bank = self._asking[1], other.codes

        def found() -> tuple[Floats, Floats]:
            made = largest_values(asked, bank, Whole(one.patches, other.patches, self._nothing), both=True)
            return _distance(made.values), _distance(made.columns)

        return found

    def _by_products(self, one: Floats, other: Floats, barred: NDArray[np.bool_] | None) -> tuple[Floats, Floats]:
        if self._buffer is None:  # one for all: fresh pages cost a tenth of a product
            self._buffer = np.empty((self._most, self._most), np.float32)
        fitting = self._buffer if self._buffer.shape == (len(one), len(other)) else None
        products = np.matmul(one, other.T, out=fitting)
        if barred is not None:
            np.copyto(products, -np.inf, where=barred)
        return _distance(products.max(axis=1)), _distance(products.max(axis=0))


class Shelf:
    """The pictures that were used last, as many as fit into some bytes (two at least)."""

    def __init__(self, load: Callable[[int], Picture], budget: int) -> None:
        self._load, self._budget = load, budget
        self._held: OrderedDict[int, Picture] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, picture: int) -> Picture:
        if picture in self._held:
            self._held.move_to_end(picture)
            return self._held[picture]
        found = self._load(picture)
        while self._bytes + found.nbytes > self._budget and len(self._held) > 1:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        self._held[picture] = found
        self._bytes += found.nbytes
        return found

    def room(self, most: int) -> int:
        """How many pictures of the first one's size fit."""
        return min(most, max(2, self._budget // max(1, self[0].nbytes)))


def _distance(cosine: Floats) -> Floats:
    return np.maximum(1 - cosine, 0)
