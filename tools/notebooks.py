"""The notebooks of docs/notebooks: python tools/notebooks.py [--check] [NAME...]

Runs each in a kernel of its own and writes what it shows into the file; --check runs and compares kinds of outputs, not
numbers, which belong to a machine and a model.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "notebooks"
SECONDS = 300
QUIET = ["--IPKernelApp.log_level=ERROR"]
_RATE = re.compile(r"[\d.,]+ per second")


def execute(path: Path, kernel: Any = None) -> Any:
    """The notebook with what it shows when it is run now. Raises nbclient's CellExecutionError where a cell fails.

    kernel: a running one's manager and client, which forgets what it knew; None starts one for this notebook alone.
    """
    notebook = nbformat.read(path, as_version=4)
    place = {"metadata": {"path": str(FOLDER)}}
    manager, known = kernel or (None, None)
    client = NotebookClient(notebook, manager, timeout=SECONDS, kernel_name="python3", resources=place)
    client.extra_arguments = QUIET
    if known is not None:
        client.kc = known
        known.execute_interactive("%reset -f", silent=True)
    client.execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if not is_progress(one)]
    python = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": python, "language_info": {"name": "python"}}
    return notebook


def stale(ran: Any, path: Path) -> bool:
    """Whether the file shows other kinds of outputs than a run does."""
    return kinds(ran) != kinds(nbformat.read(path, as_version=4))


def is_progress(output: Any) -> bool:
    """A bar stays or does not, as fast as the machine is."""
    return _RATE.search(str(output.get("data", {}).get("text/html", ""))) is not None


def kinds(notebook: Any) -> list[list[Any]]:
    """Per code cell what it shows: names of streams, and kinds of data.

    How many pieces a stream comes in is the clock's affair: those behind one another count once.
    """
    return [_kinds(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"]


def _kinds(outputs: Any) -> list[Any]:
    found: list[Any] = []
    for one in outputs:
        kind = one.get("name") or sorted(one.get("data", {}))
        if one.output_type != "stream" or found[-1:] != [kind]:
            found.append(kind)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="without .ipynb; default: all")
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    wrong = []
    for path in sorted(FOLDER.glob("*.ipynb")):
        if given.names and path.stem not in given.names:
            continue
        ran = execute(path)
        if not given.check:
            nbformat.write(ran, path)
        elif stale(ran, path):
            wrong.append(path.name)
        print(path.name)
    if wrong:
        sys.exit(f"shows something else than is written there: {', '.join(wrong)}; run python tools/notebooks.py")


if __name__ == "__main__":
    main()
