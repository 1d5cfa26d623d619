"""Options drawn from the declarations of `anomalyclip.settings`, and what one call gave for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from anomalyclip.cli._console import note
from anomalyclip.io.apart import apart
from anomalyclip.settings import Setting, settings_of

_TYPES: dict[type, click.ParamType[Any]] = {
    bool: click.BOOL,
    Path: click.Path(path_type=Path),
}


class _Number(click.ParamType[Any]):
    """A number as people write it, refused with what it should be: `5%`, `0,5`, `320px`."""

    def __init__(self, setting: Setting) -> None:
        self.name = "integer" if setting.type is int else "float"
        self._setting = setting

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return self._setting.type(value)
        except ValueError:
            self.fail(self._setting.no_number(value) + _meant(value), param, ctx)


def _meant(text: str) -> str:
    """What a share in per cent or with a comma is in the form that is read.

    >>> _meant("5 %"), _meant("0,5"), _meant("abc")
    ('; give 0.05', '; give 0.5', '')
    """
    plain = text.replace(",", ".").strip()
    try:
        return f"; give {float(plain.removesuffix('%')) / (100 if plain.endswith('%') else 1):g}"
    except ValueError:
        return ""


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

    def changed(self, **values: Any) -> Given:
        """The same call with other values of some settings, which have been read already."""
        other = Given.__new__(Given)
        other._settings, other._values = self._settings, {**self._values, **values}
        return other

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


class Option(click.Option):
    """An option under a heading of `--help`."""

    def __init__(self, *args: Any, panel: str | None, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.panel = panel


def spread(args: list[str], flags: tuple[str, ...]) -> list[str]:
    """`--normal a b` as `--normal a --normal b`.

    >>> spread(["out", "--normal", "a", "b", "--undo", "c"], ("--normal",))
    ['out', '--normal', 'a', '--normal', 'b', '--undo', 'c']
    """
    found: list[str] = []
    flag, fresh = "", False
    for word in args:
        if word.startswith("-"):
            flag, fresh = (word if word in flags else ""), True
        elif flag and not fresh:
            found.append(flag)
        found.append(word)
        fresh = fresh and word.startswith("-")
    return found


class Command(click.Command):
    """A command whose `--help` shows its options by panels.

    several: flags that take all words up to the next flag, as well as being repeated.
    """

    def __init__(self, *args: Any, several: tuple[str, ...] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.several = several

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        args = spread(args, self.several) if self.several else args
        twice = self._given_twice(ctx, args)
        left = super().parse_args(ctx, args)
        for one in twice:
            note(f"{one.opts[-1]} is given more than once: the last counts, {ctx.params.get(one.name or '')}")
        return left

    def _given_twice(self, ctx: click.Context, args: list[str]) -> list[click.Option]:
        """Options of one value that are there more than once. Raises UsageError as parsing does."""
        if ctx.resilient_parsing:
            return []
        order = self.make_parser(ctx).parse_args(args=list(args))[2]
        single = [one for one in order if isinstance(one, click.Option) and not one.multiple and not one.count]
        telling = [one for one in dict.fromkeys(single) if not one.is_flag or one.secondary_opts]
        return [one for one in telling if single.count(one) > 1]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(ctx):
            title = "Arguments" if isinstance(one, click.Argument) else getattr(one, "panel", None) or "Options"
            row = _argument_row(one) if isinstance(one, click.Argument) else one.get_help_record(ctx)
            if row is not None:
                panels.setdefault(title, []).append(row)
        for title, rows in panels.items():
            with formatter.section(click.style(title, bold=True)):
                formatter.write_dl(rows, col_max=34)


class _Argument(click.Argument):
    """An argument that explains itself."""

    def __init__(self, *args: Any, help: str, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.told = help  # click's own attribute of that sense is young, and shown a second time


def verb(
    name: str, *, third: str | None = None, epilog: str | None = None, several: tuple[str, ...] = ()
) -> Callable[[Callable[[Given], None]], Command]:
    """Make a command out of a function of `Given`: it has all options that are declared for the face `name`.

    third: what exit code 3 says of this verb, where the epilog lists them all; epilog: something else in its place.
    several: flags that take all words up to the next flag.
    """
    codes = "Exit codes: 0 done, 1 cannot write, 2 cannot use the call or its input, "
    listed = f"{codes}{f'3 {third}, ' if third else ''}130 interrupted."

    def decorate(function: Callable[[Given], None]) -> Command:
        def call(**values: Any) -> None:
            given = Given(name, {key: value if value != () else None for key, value in values.items()})
            with apart(getattr(given, "isolate", "auto")):  # whatever of theirs it reads: pictures, masks, regions
                function(given)

        parameters = [_parameter(setting) for setting in settings_of(name).values()]
        return Command(
            name.rpartition(" ")[2],
            callback=call,
            params=parameters,
            help=inspect.getdoc(function),
            epilog=epilog or listed,
            no_args_is_help=False,
            several=several,
        )

    return decorate


def _parameter(setting: Setting) -> click.Parameter:
    repeated = setting.many and setting.read is None
    kind: click.ParamType[Any] = click.STRING
    if setting.choices:
        kind = click.Choice(setting.choices)
    elif setting.read is None and setting.type in (int, float):
        kind = _Number(setting)
    elif setting.read is None:
        kind = _TYPES.get(setting.type, click.STRING)
    shared: dict[str, Any] = {"type": kind, "required": setting.required, "help": setting.sentence}
    if setting.argument:
        optional = {} if setting.required else {"default": setting.default}
        metavar = f"{setting.flag.removesuffix('...')}..." if repeated else setting.flag
        return _Argument([setting.name], metavar=metavar, nargs=-1 if repeated else 1, **(shared | optional))
    flags = setting.flags or (setting.flag,)
    if setting.type is bool:
        shared["is_flag"] = True
    if not setting.required and not repeated:
        shared["default"] = setting.default
    return Option(
        [setting.name, *flags],
        panel=setting.panel,
        multiple=repeated,
        metavar=setting.metavar,
        show_default=setting.default is not None and setting.default is not False and setting.default != "",
        **shared,
    )


def _argument_row(argument: click.Parameter) -> tuple[str, str]:
    needed = "" if argument.required else " [optional]"
    return argument.metavar or argument.name or "", f"{getattr(argument, 'told', '')}{needed}"
