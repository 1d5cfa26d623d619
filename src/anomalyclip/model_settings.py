"""Where the settings of a model were before `anomalyclip.settings`; goes when the detector no longer imports it."""

from __future__ import annotations

from anomalyclip.settings import ModelSettings as ModelSettings
from anomalyclip.settings import Preset as Preset
from anomalyclip.settings.resolving import check_settings as check_settings
from anomalyclip.settings.resolving import default_image_size as default_image_size
from anomalyclip.settings.resolving import settings_for as settings_for
