"""One exception family. Every message says what was given, what was expected, and what to do next."""


class AnomalyClipError(Exception):
    """Base of every error this package raises on purpose; the CLI prints it without a traceback."""


class InputError(AnomalyClipError):
    """A user's input (path, option, array) cannot be used."""


class ImageReadError(InputError):
    """One file could not be read as an image; a batch goes on without it."""


class ConfigError(AnomalyClipError):
    """A setting has a value outside its range, or settings contradict one another."""


class KeywordError(ConfigError, TypeError):
    """A call was given a keyword that it does not have; the message names the one that was probably meant."""


class WeightsError(AnomalyClipError):
    """A weights file is not in a known format, or its keys and shapes do not describe one CLIP."""


class PromptError(AnomalyClipError):
    """A prompt file cannot be read, or was learned on another backbone."""


class HubError(AnomalyClipError):
    """A named model or prompt file cannot be found, downloaded or verified."""


class OutputError(AnomalyClipError):
    """A result could not be written (unwritable folder, full disk)."""
