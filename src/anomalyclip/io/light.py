"""How a file says its samples code light, where that is not the way of displays: HDR curves, linear light.

Every other module takes a sample for what a display shows, as colour profiles are not applied. Of PQ, HLG and
logarithmic samples that would be another picture, grey and flat, so these are refused; linear light is shown as stored
and told. The curves have one set of numbers (ITU-T H.273, table 3): PNG's cICP, the `nclx` of AVIF and HEIC and the
`cicp` tag of ICC profiles hold them; a profile's tone curves and PNG's gAMA say the same otherwise.
"""

from __future__ import annotations

import struct

from anomalyclip.io.refusal import Refusal

UNKNOWN, LINEAR = 2, 8
_HDR = {9: "logarithmic", 10: "logarithmic", 16: "PQ (HDR)", 17: "digital cinema's", 18: "HLG (HDR)"}
_DISPLAYS = (0.35, 0.7)  # exponents by which pictures for displays are coded: 1 / 2.6 to 1 / 1.5
_HEADER, _MOST_TAGS, _ENTRY = 128, 200, 12  # of an ICC profile
_CURVES = (b"gTRC", b"kTRC")  # green, or the only one of a grey profile
_ONE = 1 << 16  # the number 1 of parametric curves


def note_of(transfer: int, field: str) -> tuple[str, ...]:
    """What has to be told of samples of this transfer characteristic, which `field` states. Raises `Refusal`: HDR."""
    if transfer in _HDR:
        raise Refusal(f"its samples are {_HDR[transfer]}, says its {field}", "tone-map it, and save it as sRGB")
    return _linear(field) if transfer == LINEAR else ()


def note_of_gamma(exponent: float) -> tuple[str, ...]:
    """The same of a PNG's gAMA: samples are light to this power."""
    if _DISPLAYS[0] <= exponent <= _DISPLAYS[1]:
        return ()
    return _linear("gAMA") if 0.9 < exponent < 1.1 else (f"its gAMA of {exponent:g} is not applied: shown as stored",)


def note_of_profile(profile: bytes, name: str = "") -> tuple[str, ...]:
    """The same of an ICC profile, or of its first bytes; name: what the file calls it. A broken one says nothing."""
    if "_PQ_" in name:  # the profile by which PNG said PQ before it had cICP; its own curves are a stand-in
        return note_of(16, "colour profile")
    return note_of(_transfer(profile), "colour profile")


def _linear(field: str) -> tuple[str, ...]:
    return (f"its samples are linear light, says its {field}: shown as stored, darker than viewers show them",)


def _transfer(profile: bytes) -> int:
    if profile[36:40] != b"acsp" or len(profile) < _HEADER + 4:
        return UNKNOWN
    found = UNKNOWN
    for number in range(min(int.from_bytes(profile[_HEADER : _HEADER + 4], "big"), _MOST_TAGS)):
        entry = profile[_HEADER + 4 + _ENTRY * number :][:_ENTRY]
        if len(entry) < _ENTRY:
            break
        name, start, length = struct.unpack(">4sII", entry)
        body = profile[start : start + min(length, 32)]
        if name == b"cicp" and body[:4] == b"cicp" and len(body) >= 10:
            return body[9]
        if name in _CURVES and _is_straight(body):
            found = LINEAR
    return found


def _is_straight(curve: bytes) -> bool:
    """Whether a tone curve (`curv` without points or of one exponent, `para` of kind 0) is the identity."""
    if curve[:4] == b"curv" and len(curve) >= 12:
        points = int.from_bytes(curve[8:12], "big")
        return points == 0 or (points == 1 and curve[12:14] == b"\1\0")
    kind = curve[8:10]
    return curve[:4] == b"para" and kind == b"\0\0" and int.from_bytes(curve[12:16], "big") == _ONE
