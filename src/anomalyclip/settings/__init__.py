"""Every setting, declared once: name, type, default, range, one sentence, and where it applies.

The command line's options, `load`'s and `detect`'s keywords, the fields of requests, the checks of all of them and the
page Settings are drawn from these tables; `CONTRIBUTING.md` says how one is added.
"""

from __future__ import annotations

from anomalyclip.settings.benching import BENCHING
from anomalyclip.settings.catalogues import DATA, MODELS
from anomalyclip.settings.comparing import RESULTS
from anomalyclip.settings.deciding import CALIBRATING, RULES
from anomalyclip.settings.evaluating import EVALUATING, EXPORTING
from anomalyclip.settings.faces import FACES
from anomalyclip.settings.files import FILES, INPUTS
from anomalyclip.settings.layout import LAYOUT
from anomalyclip.settings.mutual import MUTUAL
from anomalyclip.settings.opening import OPENING
from anomalyclip.settings.panels import PANELS
from anomalyclip.settings.reproducing import REPRODUCING
from anomalyclip.settings.running import RUNNING
from anomalyclip.settings.scoring import ModelSettings, Preset
from anomalyclip.settings.serving import REQUESTS, SERVING
from anomalyclip.settings.setting import Range, Setting
from anomalyclip.settings.training import TRAINING
from anomalyclip.settings.watching import WATCHING

__all__ = ["FACES", "SETTINGS", "ModelSettings", "Preset", "Range", "Setting", "settings_of"]

#: All of them; in the order of `--help` within a panel.
SETTINGS: tuple[Setting, ...] = (
    *INPUTS,
    *SERVING,
    *RULES,
    *MUTUAL,
    *CALIBRATING,
    *EVALUATING,
    *EXPORTING,
    *WATCHING,
    *REQUESTS,
    *TRAINING,
    *REPRODUCING,
    *BENCHING,
    *RESULTS,
    *DATA,
    *MODELS,
    *FILES,
    *LAYOUT,
    *RUNNING,
    *OPENING,
)


def settings_of(face: str) -> dict[str, Setting]:
    """The settings of one face by name, as that face has them, panel by panel.

    >>> settings_of("POST /v1/detect")["threshold"].range
    Range(low=0, high=1, unit='an image score', open=False)
    """
    found = [setting.at(face) for setting in SETTINGS if face in setting.where]
    return {setting.name: setting for setting in sorted(found, key=lambda one: PANELS.index(one.panel))}
