"""The product that is measured is a product."""

from __future__ import annotations

import pytest
import torch

from anomalyclip.encoders.native_product import NativeProduct
from anomalyclip.native import why_not

pytestmark = pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("rows", [1, 12, 97, 250])
def test_x_times_w(rows: int, threads: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    # Whole numbers up to 127 and 255, with both ends in every row, are their own quantisation: the product is exact.
    x = torch.randint(0, 256, (rows, 64), generator=generator).float()
    weight = torch.randint(-127, 128, (96, 64), generator=generator).float()
    x[:, 0], x[:, 1], weight[:, 5] = 0, 255, 127
    found = NativeProduct(x - 100, weight, threads)()
    torch.testing.assert_close(found, (x - 100) @ weight.T, rtol=1e-5, atol=0.1)
