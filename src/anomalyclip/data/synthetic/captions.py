"""Sentences in the manner of CLIP: what is seen, in which state, with which defect."""

from __future__ import annotations

from collections.abc import Sequence

from .noise import Rng, chance

_FRAMES = (
    "a photo of {}",
    "a photo of {}",
    "a close-up photo of {}",
    "a close-up of {}",
    "an image of {}",
    "a picture of {}",
    "{}",
    "a cropped photo of {}",
    "a bright photo of {}",
    "a low resolution photo of {}",
    "a photo of {} for visual inspection",
    "an inspection image of {}",
    "a macro photo of {}",
)
_SCAN_FRAMES = ("a scan of {}", "a medical image of {}", "an image of {}", "{}", "a photo of {}")
_GREY_FRAMES = ("a black and white photo of {}", "a grayscale image of {}")
_GOOD = ("flawless", "perfect", "unblemished", "normal", "undamaged", "intact", "good", "clean", "defect-free")
_GOOD_TAIL = (
    "without defect",
    "without damage",
    "without flaw",
    "in perfect condition",
    "with no defects",
    "with no anomaly",
)
_WELL = ("healthy", "normal", "unremarkable", "healthy", "normal")
_WELL_TAIL = ("without any lesion", "without findings", "with no abnormality", "without disease")
_BAD = ("damaged", "defective", "broken", "flawed", "abnormal", "imperfect", "faulty")
_ILL = ("abnormal", "diseased", "pathological", "unhealthy")
_CLASS_FREE = ("object", "surface", "product", "part", "thing", "item")
_PLURAL_ENDS = (
    "s",
    "wood",
    "leather",
    "fabric",
    "concrete",
    "plastic",
    "paper",
    "skin",
    "glass",
    "foam",
    "metal",
    "asphalt",
    "denim",
    "cork",
    "felt",
    "cloth",
    "textile",
    "mucosa",
    "gravel",
    "plaster",
    "jersey",
)


def article(noun: str) -> str:
    """The noun phrase with `a` or `an`, or bare where English wants none."""
    if noun.split(" of ")[0].endswith(_PLURAL_ENDS) and not noun.endswith(("glass pane",)):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _phrase(state: str, colour: str, subject: str) -> str:
    return article(" ".join(w for w in (state, colour, subject) if w))


def _frame(rng: Rng, medical: bool, grey: bool) -> str:
    pool: tuple[str, ...] = _SCAN_FRAMES if medical else _FRAMES
    if grey and not medical and chance(rng, 0.15):
        pool = _GREY_FRAMES
    return str(pool[int(rng.integers(len(pool)))])


def normal_caption(rng: Rng, subject: str, colour: str, medical: bool, grey: bool) -> str:
    """A sentence for a scene with no defect: with a word of praise, a tail, or plain."""
    subject = _CLASS_FREE[int(rng.integers(len(_CLASS_FREE)))] if not medical and chance(rng, 0.12) else subject
    words, tails = (_WELL, _WELL_TAIL) if medical else (_GOOD, _GOOD_TAIL)
    mode = int(rng.choice(3, p=[0.5, 0.25, 0.25]))
    state = str(rng.choice(words)) if mode == 0 else ""
    tail = f" {rng.choice(tails)}" if mode == 1 else ""
    return _frame(rng, medical, grey).format(_phrase(state, colour, subject) + tail)


def damaged_caption(rng: Rng, subject: str, colour: str, medical: bool, grey: bool, defects: Sequence[str]) -> str:
    """A sentence for an anomalous scene: names the defect (usually) or only the state."""
    subject = _CLASS_FREE[int(rng.integers(len(_CLASS_FREE)))] if not medical and chance(rng, 0.12) else subject
    words = _ILL if medical else _BAD
    mode = int(rng.choice(4, p=[0.45, 0.25, 0.2, 0.1]))
    named = " and ".join(dict.fromkeys(defects))
    if mode == 3 and not medical:
        return _frame(rng, medical, grey).format(f"{named} on {_phrase('', colour, subject)}")
    state = str(rng.choice(words)) if mode in (1, 2) else ""
    tail = (
        f" with {named}"
        if mode in (0, 1, 3)
        else ("" if chance(rng, 0.6) else (" with a finding" if medical else " with a defect"))
    )
    return _frame(rng, medical, grey).format(_phrase(state, colour, subject) + tail)
