"""Write docs/licences.md: what this package carries and what it installs, from the metadata that is installed here.

    python tools/licences.py [--check] [--sbom FILE]

--check ends with an error where a licence is unknown, or is one that would bind those who only use the package. --sbom
writes the same list as a CycloneDX document, for machines; without a time, so that the same packages give one file.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
#: extra -> what it is for; "" is what everybody gets. The tools of developers are not distributed and not listed.
EXTRAS = {
    "": "always", "train": "training", "serve": "the server", "openvino": "OpenVINO", "onnx": "ONNX", "ray": "clusters",
    "medical": "medical images", "heif": "HEIC pictures", "mqtt": "brokers", "gate": "reject gates", "demo": "the demo",
}  # fmt: skip
#: What metadata calls a licence -> its SPDX name, where they differ; the rest is shown as it is.
NAMES = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License v2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD",
    "BSD-3-Clause License": "BSD-3-Clause",
    "CC BY-NC-SA 4.0": "CC-BY-NC-SA-4.0",
    "ISC License": "ISC",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "The Unlicense (Unlicense)": "Unlicense",
}
BINDING = re.compile(r"\bA?GPL|CC-BY-NC")
#: Binding ones that are fine, and why.
ACCEPTED = {"elpv-dataset": "only images of the demo, by the extra `demo`; nothing of it is in the package"}
HEAD = """# Licences

The code is MIT; the package carries data under other licences, all of them in `NOTICE.md` and `LICENSES/`, which are in
every distribution. What follows is written by `make licences` from the metadata of the installed packages.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="complain about unknown and binding licences")
    parser.add_argument("--sbom", type=Path, help="write the packages as CycloneDX JSON there")
    given = parser.parse_args()
    strict = given.check
    rows, missing = survey()
    if given.sbom is not None:
        given.sbom.parent.mkdir(parents=True, exist_ok=True)
        given.sbom.write_text(json.dumps(bill(rows), indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)}: {len(rows)} packages")
    if missing:
        print(f"not installed here, so not listed: {', '.join(missing)}; make licences installs them all")
    wrong = [
        f"{name}: {licence}"
        for name, _, licence, _ in rows
        if (licence == "unknown" or BINDING.search(licence)) and name not in ACCEPTED
    ]
    if strict and (wrong or missing):
        sys.exit(f"error: look at these licences: {'; '.join(wrong) or 'some packages are not installed'}")


def survey() -> tuple[list[tuple[str, str, str, str]], list[str]]:
    """(name, version, licence, for what) of every package that any extra installs, and the names that are absent."""
    wanted: dict[str, str] = {}
    missing: set[str] = set()
    for extra, purpose in EXTRAS.items():
        todo = [("anomalyclip", extra)]
        seen = set(todo)
        while todo:
            name, wish = todo.pop()
            try:
                requirements = metadata.requires(name) or []
            except metadata.PackageNotFoundError:
                missing.add(name)
                continue
            if name != "anomalyclip":
                wanted.setdefault(name, purpose)
            for requirement in map(Requirement, requirements):
                if requirement.marker is None or requirement.marker.evaluate({"extra": wish}):
                    child = canonicalize_name(requirement.name)
                    new = {(child, wish) for wish in ("", *requirement.extras)} - seen
                    seen |= new
                    todo += sorted(new)
    rows = [(name, metadata.version(name), licence_of(name), purpose) for name, purpose in sorted(wanted.items())]
    return rows, sorted(missing)


def bill(rows: list[tuple[str, str, str, str]]) -> dict[str, object]:
    """A CycloneDX 1.5 document of these packages; each says which extra brings it."""
    own = metadata.version("anomalyclip")
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:pypi/{name}@{version}",
            "scope": "required" if purpose == "always" else "optional",
            "licenses": [{"license": {"name": licence}}],
            "properties": [{"name": "anomalyclip:for", "value": purpose}],
        }
        for name, version, licence, purpose in rows
    ]
    root = {"type": "library", "bom-ref": f"pkg:pypi/anomalyclip@{own}", "name": "anomalyclip", "version": own}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**root, "purl": root["bom-ref"], "licenses": [{"license": {"id": "MIT"}}]}},
        "components": components,
    }


def licence_of(name: str) -> str:
    """The SPDX expression, else the licence field where it is short, else the classifiers."""
    about = metadata.metadata(name)
    if "License-Expression" in about:
        return str(about["License-Expression"])
    stated = (about.get("License") or "").strip()
    if stated.upper() not in ("", "UNKNOWN") and "\n" not in stated and len(stated) <= 60:
        return NAMES.get(stated, stated)
    classified = {
        line.rpartition("::")[2].strip() for line in about.get_all("Classifier") or [] if "License ::" in line
    }
    return " AND ".join(sorted(NAMES.get(one, one) for one in classified)) or "unknown"


def page(rows: list[tuple[str, str, str, str]]) -> str:
    """The whole page; NOTICE.md's own words about what is carried, then a table of what is installed."""
    notice = (ROOT / "NOTICE.md").read_text(encoding="utf-8").partition("\n")[2].strip()
    notice = re.sub(r"\[text\]\(LICENSES/([^)]*)\)", r"text: `LICENSES/\1`", notice)  # which the site does not carry
    lines = ["## What the package carries", "", notice, "", "## What it installs", ""]
    lines += ["`pip install anomalyclip` brings what is needed always; the others come with extras of their own.", ""]
    lines += ["| package | version seen | licence | for |", "|---|---|---|---|"]
    lines += [f"| {name} | {version} | {licence} | {purpose} |" for name, version, licence, purpose in rows]
    lines += ["", "Worth knowing:", ""]
    lines += [f"- `{name}`: {reason}." for name, reason in ACCEPTED.items()]
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
