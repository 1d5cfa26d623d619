"""Options drawn from the declarations of `anomalyclip.settings`, and what one call gave for them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from anomalyclip.settings import Setting, settings_of


class Given:
    """What one call gave for a verb's settings: checked, and read where text stands for something else.

    Values are attributes by the settings' names; None is not given where there is no default.
    """

    def __init__(self, verb: str, values: Mapping[str, Any]) -> None:
        """Raises ConfigError for the first value that cannot be."""
        self._settings = settings_of(verb)
        self._values = {name: one.value(values[name], one.flag) for name, one in self._settings.items()}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_values"][name]
        except KeyError:
            raise AttributeError(f"this verb declares no setting {name!r}") from None

    def part(self, name: str) -> dict[str, Any]:
        """The values of all settings that this part takes, by name."""
        return {one.name: self._values[one.name] for one in self._settings.values() if one.part == name}

    def all_but(self, *names: str) -> dict[str, Any]:
        """The values of all settings but these, by name."""
        return {name: value for name, value in self._values.items() if name not in names}

    def flags(self, *names: str) -> dict[str, Any]:
        """Flag -> value, of some settings."""
        return {self._settings[name].flag: self._values[name] for name in names}

    def said(self, *names: str) -> list[str]:
        """The flags of those among `names` that ask for something: not None, False or "none"."""
        return [flag for flag, value in self.flags(*names).items() if value not in (None, False, "none")]


def options_of(verb: str) -> Callable[[Callable[[Given], None]], Callable[..., None]]:
    """Make a command out of a function of `Given`: it has all options that are declared for the verb."""

    def decorate(function: Callable[[Given], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**values: Any) -> None:
            function(Given(verb, {name: _plain(value) for name, value in values.items()}))

        parameters = [_parameter(setting) for setting in settings_of(verb).values()]
        del command.__wrapped__  # typer would look at its signature
        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def _parameter(setting: Setting) -> inspect.Parameter:
    """A keyword as Typer reads it."""
    kind: Any = _kind(setting)
    if setting.many and setting.read is None:
        kind = list[kind]
    if not setting.required and setting.default is None:
        kind = kind | None
    shown: dict[str, Any] = {
        "help": setting.sentence,
        "metavar": setting.metavar,
        "rich_help_panel": setting.panel,
        "show_default": setting.default is not None and setting.default is not False,
    }
    flags = setting.flags or (setting.flag,)
    info = typer.Argument(**shown) if setting.argument else typer.Option(*flags, **shown)
    default = inspect.Parameter.empty if setting.required else setting.default
    if default is not inspect.Parameter.empty and issubclass(_kind(setting), Enum) and default is not None:
        default = _kind(setting)(default)
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


@functools.cache
def _enumeration(name: str, choices: tuple[str, ...]) -> type[Enum]:
    members: type[Enum] = cast(Any, Enum)(name, {choice: choice for choice in choices})
    return members


def _kind(setting: Setting) -> type:
    """The type of one value on the command line; text where it is read later."""
    if setting.choices:
        return _enumeration(setting.name, setting.choices)
    return setting.type if setting.read is None and setting.type in (bool, int, float, Path) else str


def _plain(value: Any) -> Any:
    """Members of our enumerations as their words, a repeated option as a tuple."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, list):
        return tuple(map(_plain, value))
    return value
