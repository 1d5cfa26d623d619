"""Keywords of Python, checked and shown as the declarations say."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from difflib import get_close_matches
from functools import wraps
from typing import Any, TypeVar, cast

from anomalyclip.errors import KeywordError
from anomalyclip.settings.setting import Setting

F = TypeVar("F", bound=Callable[..., Any])


def check_keywords(
    values: Mapping[str, Any], known: Mapping[str, Setting], *, hints: Collection[str] = ()
) -> dict[str, Any]:
    """Refuse what is no setting of a call, and values out of their range; None is not given and passes.

    Gives the values as they are read: layers="6,12" as (6, 12).

    Args:
        values: name -> value.
        known: the settings of this face (`anomalyclip.settings.settings_of`).
        hints: further names that the call has, for which one may have been meant.

    Raises:
        KeywordError: an unknown name, with the one that was probably meant.
        ConfigError: a value that cannot be, in the words of the command line.
    """
    read = {}
    for name, value in values.items():
        if name in known:
            read[name] = known[name].value(value)
        else:
            names = [*known, *hints]
            near = get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}"
            raise KeywordError(f"there is no keyword {name!r}; {hint}")
    return read


def none_is_not_given(*but: str) -> Callable[[F], F]:
    """Keywords given as None have their default, as where a program passes on what it was not told itself.

    but: what a person has to choose, which is handed on as it is, to be refused.
    """

    def decorate(function: F) -> F:
        parameters = inspect.signature(function).parameters.items()
        defaults = {name: one.default for name, one in parameters if one.default is not inspect.Parameter.empty}
        defaults |= dict.fromkeys(but)

        @wraps(function)
        def call(*values: Any, **options: Any) -> Any:
            return function(*values, **{k: defaults.get(k) if value is None else value for k, value in options.items()})

        return cast("F", call)

    return decorate


def spelled_out(keywords: type, defaults: Mapping[str, object] | None = None) -> Callable[[F], F]:
    """Show `**options: Unpack[keywords]` of a function as its keywords, each with its type: for `help` and editors.

    defaults: those that are not None.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        parameters = list(signature.parameters.values())
        assert parameters[-1].kind is inspect.Parameter.VAR_KEYWORD, f"{function.__name__} takes no further keywords"
        for name, kind in keywords.__annotations__.items():
            shown = getattr(kind, "__forward_arg__", kind)
            default = (defaults or {}).get(name)
            parameters.insert(
                -1, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown)
            )
        function.__signature__ = signature.replace(parameters=parameters[:-1])  # type: ignore[attr-defined]
        return function

    return decorate
