"""`anomalyclip export`: one graph with the prompts built in, for programs with or without this package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.cli._console import note
from anomalyclip.cli._declared import Given, verb
from anomalyclip.settings.faces import EXPORT

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.encoders.sidecar import Artefact
    from anomalyclip.export.making import ExportOptions


@verb("export")
def app(given: Given) -> None:
    """Write a model as one graph: an image in, its score and anomaly map out.

    The text side is computed once and built in. The export is compared with torch on rendered images before it is
    kept; one that is wrong is not written.
    """
    from anomalyclip.cli._address_space import check_address_space

    check_address_space(None, "export")
    from anomalyclip.export.folder import check_output
    from anomalyclip.export.making import ExportOptions, check_options, export_model, with_features

    options = ExportOptions(format=given.format, **given.part("export"))
    profile = None
    if given.profile is not None:
        from anomalyclip.calibration import read_profile

        profile = read_profile(given.profile)
        options = _carrying(options, profile)
    check_options(options)
    check_output(given.output, given.overwrite)
    from anomalyclip.opening import open_detector

    loaded = open_detector(device="cpu", runtime="torch", **given.part("opening"))
    if given.features is not None:
        options = replace(options, gives=options.gives | with_features(loaded, given.features))
    if profile is not None:
        profile.judging(loaded, face=EXPORT)  # refused before anything is written, if it is of another model
    artefact = export_model(loaded, given.output, options, overwrite=given.overwrite, tell=_teller(given.quiet))
    if not given.quiet:
        _report(artefact, given.output)


def _carrying(options: ExportOptions, profile: Profile) -> ExportOptions:
    """The options of an export that needs nothing but itself: the profile, its memory, the features it compares."""
    from anomalyclip.export.making import MEMORY

    if profile.memory is None:
        return replace(options, profile=profile.model_dump(mode="json"))
    content = profile.model_copy(update={"memory": profile.memory.model_copy(update={"file": MEMORY})})
    opened = profile.opened()
    return replace(
        options,
        profile=content.model_dump(mode="json"),
        memory=profile.memory_bytes(),
        gives=options.gives | opened.line.source.request,
    )


def _teller(quiet: bool) -> Callable[[str], None]:
    def tell(line: str) -> None:
        warning = line.startswith("warning")
        if warning or not quiet:
            note(line, style="yellow" if warning else "")

    return tell


def _report(artefact: Artefact, output: Path) -> None:
    from anomalyclip.io.names import printable

    total = sum(record.bytes for record in artefact.files.values())
    note(f"{printable(output)}: {', '.join(artefact.files)} ({total / 1e6:,.1f} MB), anomalyclip.json")
    found = artefact.verification
    if found is not None:
        note(
            f"against torch fp32 on {found.images} images: score differs by at most {found.score:.2g}, a pixel by "
            f"{found.map:.2g} (mean {found.map_mean:.2g}), maps correlate by {found.correlation:.6f}"
        )
