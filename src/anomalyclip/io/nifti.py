"""NIfTI volumes (.nii, .nii.gz) as slices: in canonical orientation, of one intensity window, in bounded memory.

Slices are numbered from left, posterior or inferior along the chosen axis of the patient (RAS+: x, y, z), volume after
volume where there are several, and lie as a radiologist and DICOM show them: z with anterior above, x and y with
superior above; the patient's right (x: anterior) on the left. Pixels are not resampled: voxels that are no cubes stay
as they are.

The window is one for the whole volume: `cal_min` and `cal_max` of its header; 0 to 255 for bytes without a rescale;
else the volume's own smallest and largest value, which the notes tell. The header is checked before anything is
unpacked; a compressed file is unpacked to a temporary file, never beyond what its header declares; to memory where a
process may write none, as the one that decodes untrusted files.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
import zlib
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from anomalyclip.io.depth import Array, Raster, Stated
from anomalyclip.io.limits import check_pixels
from anomalyclip.io.memo import Memo, identity
from anomalyclip.io.nifti_magic import GZIP, first_bytes
from anomalyclip.io.refusal import EXPORT_AGAIN, Refusal, truncated

INSTALL = 'install it with: pip install "anomalyclip[medical]"'
AXES = ("x", "y", "z")
MOST_BYTES = 1 << 31
"""Of a volume once it is unpacked."""

_CHUNK = 1 << 20
_SCALARS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8"}
_COMPLEX = (32, 1792, 2048)
_COLOURS = {128: 3, 2304: 4}  # RGB24, RGBA32


@dataclass(frozen=True)
class VolumeHeader:
    """What the header says, checked. shape: at least three sides. axes: storage axis and direction of x, y and z.

    dtype: of a stored value; colours: samples of a voxel, 1 for grey. scale: slope and intercept. window: or None.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    colours: int
    offset: int
    axes: tuple[tuple[int, int], ...]
    scale: tuple[float, float]
    window: tuple[float, float] | None
    packed: bool

    @property
    def volumes(self) -> int:
        return int(np.prod(self.shape[3:], dtype=np.int64))

    @property
    def bytes(self) -> int:
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize * self.colours

    def slices(self, axis: str) -> int:
        """Slices of one volume along an axis."""
        return self.shape[self.axes[AXES.index(axis)][0]]

    def size(self, axis: str) -> tuple[int, int]:
        """(width, height) of its slices."""
        across, up = (self.shape[self.axes[c][0]] for c in _plane(axis))
        return across, up


@dataclass(frozen=True)
class _Volume:
    """Stored voxels, (i, j, k, volume[, colour]) in storage order. window: see the module; notes tell of it."""

    voxels: Array
    window: Stated
    notes: tuple[str, ...]


_headers: Memo[VolumeHeader] = Memo(8)
_open: Memo[_Volume] = Memo(2)


def read_header(file: BinaryIO, max_pixels: int) -> VolumeHeader:
    """The header of an open file; rewinds it. Raises `Refusal` where it cannot be true, or a slice is too large."""
    try:
        import nibabel
    except ImportError:
        raise Refusal("it is a NIfTI volume and the package nibabel is missing", INSTALL) from None
    assert nibabel is not None
    try:
        header = _headers.of(file, lambda: _read_header(file))
    finally:
        file.seek(0)
    for axis in AXES:
        check_pixels(*header.size(axis), max_pixels)
    return header


def _read_header(file: BinaryIO) -> VolumeHeader:
    import nibabel

    nib: Any = nibabel
    start = first_bytes(file)
    end = file.seek(0, 2)
    first = struct.unpack("<I", start[:4])[0] if len(start) >= 4 else 0
    second = first in (540, 0x1C020000)
    length = 540 if second else 348
    if len(start) < length:
        raise truncated("its header is cut off")
    if (start[4:7] if second else start[344:347]) in (b"ni1", b"ni2"):
        raise Refusal("its voxels lie in another file (.img)", "save it as one .nii or .nii.gz file")
    raw = (nib.Nifti2Header if second else nib.Nifti1Header)(binaryblock=start[:length], check=False)
    dims = [int(number) for number in raw["dim"]]
    if not 2 <= dims[0] <= 7 or any(not 1 <= side < 1 << 31 for side in dims[1 : dims[0] + 1]):
        raise Refusal(f"its header declares the sides {dims[1 : max(dims[0], 0) + 1]}", EXPORT_AGAIN)
    shape = tuple([*dims[1 : dims[0] + 1], 1, 1][: max(dims[0], 3)])
    code = int(raw["datatype"])
    if code not in _SCALARS and code not in _COLOURS:
        what = "complex numbers" if code in _COMPLEX else f"of data type {code}"
        raise Refusal(f"its voxels are {what}", "save it as 8 or 16 bit integers or as 32 bit floats")
    dtype = np.dtype(_SCALARS.get(code, "u1")).newbyteorder(raw.endianness)
    offset = float(raw["vox_offset"])
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if not (np.isfinite(offset) and length <= offset <= 1 << 30):
        raise Refusal(f"its voxels begin at byte {offset:g}", EXPORT_AGAIN)
    low, high = float(raw["cal_min"]), float(raw["cal_max"])
    header = VolumeHeader(
        shape,
        dtype,
        _COLOURS.get(code, 1),
        int(offset),
        _axes(nib.io_orientation(raw.get_best_affine())),
        (slope, intercept if np.isfinite(intercept) else 0.0) if np.isfinite(slope) and slope else (1.0, 0.0),
        (low, high) if np.isfinite((low, high)).all() and low < high else None,
        start != b"" and _is_packed(file),
    )
    if header.bytes > MOST_BYTES:
        raise Refusal(f"its volume has {header.bytes / 1e9:,.3g} GB, the limit is {MOST_BYTES / 1e9:.3g}", "cut it")
    if not header.packed and header.offset + header.bytes > end:
        raise truncated(f"its voxels end at byte {header.offset + header.bytes:,}, the file at {end:,}")
    return header


def _is_packed(file: BinaryIO) -> bool:
    file.seek(0)
    return file.read(2) == GZIP


def _axes(orientation: npt.NDArray[Any]) -> tuple[tuple[int, int], ...]:
    """Of x, y and z in turn: which storage axis runs along it, and whether forwards (1) or backwards (-1)."""
    if not np.isfinite(orientation).all():
        raise Refusal("its orientation is degenerate", "set its affine (sform or qform)")
    found = {int(canonical): (storage, int(way)) for storage, (canonical, way) in enumerate(orientation)}
    return tuple(found[canonical] for canonical in range(3))


def _plane(axis: str) -> tuple[int, int]:
    """The patient's axes that run along the columns and the rows of a slice."""
    return {"x": (1, 2), "y": (0, 2), "z": (0, 1)}[axis]


def count(file: BinaryIO, max_pixels: int, axis: str = "z") -> int:
    """Slices of all volumes of a file along an axis. Rewinds the file. Raises `Refusal`."""
    header = read_header(file, max_pixels)
    return header.slices(axis) * header.volumes


def kept_bytes() -> int:
    """Address space of the volumes that wait for their next slice to be asked for."""
    return sum(volume.voxels.nbytes for volume in _open.values())


def read(file: BinaryIO, index: int, max_pixels: int, axis: str = "z", *, windowed: bool = True) -> Raster:
    """Slice `index` along an axis, upright; values without a window where not `windowed`. Raises `Refusal`."""
    header = read_header(file, max_pixels)
    volume = _open.of(file, lambda: _opened(file, header))
    number, place = divmod(index, header.slices(axis))
    storage, way = header.axes[AXES.index(axis)]
    at: list[Any] = [slice(None)] * 3
    at[storage] = place if way > 0 else header.shape[storage] - 1 - place
    where = (*at, number)
    plane = volume.voxels[where]
    left = [one for one in range(3) if one != storage]
    across, up = (header.axes[canonical] for canonical in _plane(axis))
    if left.index(across[0]) == 1:
        plane = plane.swapaxes(0, 1)
    plane = plane[:: across[1], :: up[1]]
    shown = np.ascontiguousarray(plane.swapaxes(0, 1)[::-1, ::-1])
    if header.colours > 1:
        alpha = np.ascontiguousarray(shown[..., 3]) if header.colours == 4 else None
        return Raster(np.ascontiguousarray(shown[..., :3]), alpha, stated=Stated(0.0, 255.0, "RGB24"))
    if not windowed:
        return Raster(_scaled(shown, header))
    return Raster(_scaled(shown, header), stated=volume.window, notes=volume.notes)


def _scaled(values: Array, header: VolumeHeader) -> Array:
    slope, intercept = header.scale
    if (slope, intercept) == (1.0, 0.0):
        return values.astype(values.dtype.newbyteorder("="))
    return np.asarray(values.astype(np.float64) * slope + intercept)


def _opened(file: BinaryIO, header: VolumeHeader) -> _Volume:
    flat = _mapped(file, header)
    if header.colours == 1:
        voxels = flat.reshape((*header.shape[:3], header.volumes), order="F")
        return _Volume(voxels, *_window(voxels, header))
    if header.volumes > 1:
        raise Refusal("it holds several coloured volumes", "save them one by one")
    coloured = flat.reshape((*header.shape[2::-1], header.colours)).transpose(2, 1, 0, 3)
    return _Volume(coloured[:, :, :, None], Stated(0.0, 255.0, "RGB24"), ())


def _mapped(file: BinaryIO, header: VolumeHeader) -> Array:
    """The stored samples, one after another, in pages that the system reads and drops as it likes."""
    count = header.bytes // header.dtype.itemsize
    if not header.packed and identity(file) is None:  # in memory already
        file.seek(header.offset)
        return np.frombuffer(file.read(header.bytes), header.dtype)
    if header.packed and _may_write_no_file():
        memory = mmap.mmap(-1, header.offset + header.bytes)
        _unpack(file, header, memory)
        return np.frombuffer(memory, header.dtype, count, header.offset)
    source: Any = _unpacked(file, header) if header.packed else file
    try:
        return np.memmap(source, header.dtype, mode="r", offset=header.offset, shape=(count,))
    finally:
        if header.packed:
            source.close()  # the pages stay as long as the array


def _window(voxels: Array, header: VolumeHeader) -> tuple[Stated, tuple[str, ...]]:
    if header.window is not None:
        return Stated(*header.window, "cal_min and cal_max"), ()
    if header.dtype == np.uint8 and header.scale == (1.0, 0.0):
        return Stated(0.0, 255.0, "bytes"), ()
    low, high = np.inf, -np.inf
    for number in range(voxels.shape[3]):
        for place in range(voxels.shape[2]):
            part = voxels[:, :, place, number]
            part = part[np.isfinite(part)] if part.dtype.kind == "f" else part
            if part.size:
                low, high = min(low, float(part.min())), max(high, float(part.max()))
    slope, intercept = header.scale
    low, high = sorted((low * slope + intercept, high * slope + intercept))
    if not (np.isfinite((low, high)).all() and low < high):
        low, high = (low, low + 1) if np.isfinite(low) else (0.0, 1.0)
    note = f"its header states no window: the volume's own range, {low:g} to {high:g}, is shown"
    return Stated(low, high, "the volume's range"), (note,)


def _may_write_no_file() -> bool:
    """Whether this process has been bound so (see `isolated`); its limit of memory counts what it unpacks."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        return resource.getrlimit(resource.RLIMIT_FSIZE)[0] == 0
    return False


def _unpacked(file: BinaryIO, header: VolumeHeader) -> Any:
    """A temporary file with the voxels, which goes when it is closed."""
    target = tempfile.TemporaryFile(prefix="anomalyclip-")  # noqa: SIM115 - kept open with the volume
    try:
        _unpack(file, header, target)
        target.flush()
    except BaseException:
        target.close()
        raise
    return target


def _unpack(file: BinaryIO, header: VolumeHeader, target: Any) -> None:
    """Into a file or memory, as much as the header declares. Raises `Refusal`."""
    wanted = header.offset + header.bytes
    stream = zlib.decompressobj(31)
    file.seek(0)
    written = 0
    try:
        while written < wanted:
            raw = stream.unconsumed_tail or file.read(_CHUNK)
            if not raw or stream.eof:
                raise truncated(f"its voxels end at byte {wanted:,}, the unpacked file at {written:,}")
            written += target.write(stream.decompress(raw, min(_CHUNK, wanted - written)))
    except zlib.error as error:
        raise truncated("it cannot be unpacked to its end") from error
