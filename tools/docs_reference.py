"""MkDocs hook: pages of the command-line reference, written from the commands, and of the Python reference.

Listed under `hooks` in mkdocs.yml. Nothing is written to disk: a page that is out of date cannot exist. The Python
pages only name the modules; mkdocstrings reads their docstrings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from anomalyclip.cli._group import VERBS
from anomalyclip.settings import SETTINGS, Setting
from anomalyclip.settings.panels import PANELS

#: Page -> (title, one line, the public names to show). A module is shown with what its `__all__` names.
PYTHON = {
    "anomalyclip": ("anomalyclip", "Load a model, detect, look at a prediction.", ["anomalyclip"]),
    "runtime": (
        "Runtimes and export",
        "The same model on torch, OpenVINO or onnxruntime, and as a file.",
        ["anomalyclip.opening.open_detector", "anomalyclip.export"],
    ),
    "calibration": ("Calibration", "From scores to decisions.", ["anomalyclip.calibration"]),
    "geometry": ("Geometry", "Tiles, proportions and regions of interest.", ["anomalyclip.geometry"]),
    "data": ("Data", "Data sets, masks and rendered images.", ["anomalyclip.data"]),
    "metrics": ("Metrics", "AUROC, AP, F1-max and AUPRO.", ["anomalyclip.metrics"]),
    "evaluation": ("Evaluation", "Measure a model on labelled images.", ["anomalyclip.evaluation"]),
    "comparison": ("Comparison", "Finished runs side by side.", ["anomalyclip.comparison"]),
    "integrations": ("Integrations", "FiftyOne, supervision, MLflow.", ["anomalyclip.integrations"]),
    "training": ("Training", "Learn prompts.", ["anomalyclip.training"]),
    "reproduction": ("Reproduction", "The paper's tables.", ["anomalyclip.reproduction"]),
    "method": ("The method's parts", "Scoring and losses.", ["anomalyclip.scoring", "anomalyclip.losses"]),
    "errors": ("Errors", "One family.", ["anomalyclip.errors"]),
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages before MkDocs lays out the navigation."""
    for path, text in {**cli_pages(), **python_pages(), "reference/settings.md": settings_page()}.items():
        files.append(File.generated(config, path, content=text))
    return files


def cli_pages() -> dict[str, str]:
    """Path below docs/ -> Markdown: an index, and a page for every verb."""
    rows = "".join(f"| [`anomalyclip {verb}`]({verb}.md) | {line} |\n" for verb, line in VERBS.items())
    index = (
        "# Command line\n\nEvery verb has a page with all of its options, written from the program itself. "
        "`anomalyclip VERB --help` says the same; `anomalyclip --version` (or `--help`, `-h`) needs no verb.\n\n"
        f"| verb | what it does |\n|---|---|\n{rows}\n"
        "Exit codes of every verb: 0 done; 1 a result could not be written; 2 the call or its input cannot be used; "
        "3 done, but some files failed; 130 interrupted.\n"
    )
    return {"reference/cli/index.md": index, **{f"reference/cli/{verb}.md": cli_page(verb) for verb in VERBS}}


def cli_page(verb: str) -> str:
    """One verb: its usage, its text, and a heading per option, so that each is found and linked on its own."""
    parts = [f"# anomalyclip {verb}\n"]
    for path, command in commands(verb):
        words = ["anomalyclip", *path]
        if len(path) > 1:
            parts.append(f"## {' '.join(words)}\n")
        arguments = [param for param in command.params if is_argument(param)]
        shown = " ".join(argument.metavar or argument.name.upper() for argument in arguments)
        parts.append(f"```text\n{' '.join(words)} [OPTIONS] {shown}".rstrip() + "\n```\n")
        parts.append(prose(command.help or "") + "\n")
        if command.epilog:
            parts.append(prose(command.epilog) + "\n")
        parts += [f"**`{one.metavar or one.name.upper()}`** {prose(one.told)}\n" for one in arguments]
        parts += options(path, command)
    return "\n".join(parts)


def commands(verb: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """(words after `anomalyclip`, command) of a verb: itself, or all its subcommands."""
    command = import_module(f"anomalyclip.cli.{verb}").app
    inner = getattr(command, "commands", None)
    if inner is None:
        yield (verb,), command
    else:
        for name, sub in inner.items():
            yield (verb, name), sub


def options(path: tuple[str, ...], command: Any) -> Iterator[str]:
    """A heading and a paragraph per option, in the panels of `--help`."""
    panel = None
    wanted = [param for param in command.params if not is_argument(param) and not param.hidden]
    for option in sorted(wanted, key=lambda param: panel_order(command, param)):
        if (title := option.panel or "Options") != panel:
            panel = title
            anchor = "-".join(["panel", *path, slug(title)])
            yield f"{'###' if len(path) > 1 else '##'} {title} {{#{anchor}}}\n"
        names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
        value = value_of(option)
        anchor = "-".join([*path, slug(longest(option))])
        heading = f"{names} `{value}`" if value else names
        yield f"{'####' if len(path) > 1 else '###'} {heading} {{#{anchor}}}\n"
        yield prose(option.help or "") + default_of(option) + "\n"


def panel_order(command: Any, option: Any) -> int:
    panels = [param.panel for param in command.params if not is_argument(param)]
    return -1 if option.panel is None else panels.index(option.panel)


def is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def longest(option: Any) -> str:
    return str(max(option.opts, key=len))


def value_of(option: Any) -> str:
    """What to write after the option: its metavar, its choices or its type; nothing for a switch."""
    if option.is_flag:
        return ""
    if option.metavar:
        return str(option.metavar)
    return "|".join(getattr(option.type, "choices", ())) or {"integer": "INT"}.get(
        option.type.name, option.type.name.upper()
    )


def default_of(option: Any) -> str:
    default = option.to_info_dict()["default"]
    given = default is not None and default is not False and default not in ((), [])
    if option.required or not option.show_default or not given:
        return " Required." if option.required else ""
    return f" Default: `{', '.join(map(str, default)) if isinstance(default, list | tuple) else default}`."


def prose(text: str) -> str:
    """Help as Markdown: one paragraph stays one, and signs that Markdown would take are escaped outside code."""
    pieces = text.strip().split("`")
    escaped = [re.sub(r"([*_<\[\]])", r"\\\1", piece) if i % 2 == 0 else piece for i, piece in enumerate(pieces)]
    return "`".join(escaped)


def slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def settings_page() -> str:
    """Every setting with more than one face, or a range: a table per panel, from the declarations."""
    rows: dict[str | None, list[str]] = {}
    for one in SETTINGS:
        cells = [f"`{one.name}`", prose(one.help), _values(one), _default(one), ", ".join(f"`{f}`" for f in one.where)]
        rows.setdefault(one.panel, []).append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
    head = "| setting | what | values | default | where |\n|---|---|---|---|---|\n"
    tables = [
        f"## {title or 'General'} {{#settings-{slug(title or 'general')}}}\n\n{head}{''.join(rows[title])}"
        for title in sorted(rows, key=PANELS.index)
    ]
    return (
        "# Settings\n\nAll settings by the name that Python, requests and result files use; the command line writes "
        "`--` and dashes. A value out of its range is refused in the same words everywhere. What decides a score is "
        "also in prompt files and in every result.\n\n" + "\n".join(tables)
    )


def _values(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(f"`{choice}`" for choice in setting.choices)
    held = "" if setting.range is None else f" ({setting.range.expected()})"
    kind = {bool: "yes or no", int: "whole number", float: "number", str: "text", Path: "path"}
    return kind.get(setting.type, "see help") + held


def _default(setting: Setting) -> str:
    value = setting.method if setting.default is None else setting.default
    return "" if value is None or value is False else f"`{value}`"


def python_pages() -> dict[str, str]:
    """Path below docs/ -> Markdown: an index, and a page for every row of PYTHON."""
    pages = {}
    for page, (title, line, modules) in PYTHON.items():
        shown = "\n".join(f"::: {module}\n" for module in modules)
        pages[f"reference/python/{page}.md"] = f"# {title}\n\n{line}\n\n{shown}"
    rows = "".join(f"| [{title}]({page}.md) | {line} |\n" for page, (title, line, _) in PYTHON.items())
    pages["reference/python/index.md"] = (
        "# Python reference\n\nWritten from the docstrings. [Python](../../python.md) has the short introduction.\n\n"
        f"| page | what |\n|---|---|\n{rows}"
    )
    return pages
