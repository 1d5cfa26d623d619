"""What the light install leaves out: which extra brings a package, and how that is said in one line."""

from __future__ import annotations

from importlib.util import find_spec

from anomalyclip.errors import ConfigError

#: import name -> extra that brings it
EXTRA_OF = {
    "torch": "torch",
    "tokenizers": "torch",
    "lightning": "train",
    "openvino": "openvino",
    "nncf": "openvino",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "fastapi": "serve",
    "ray": "ray",
    "pyarrow": "ray",
    "matplotlib": "bench",
    "sklearn": "groups",
    "scipy": "bench",
    "fiftyone": "fiftyone",
    "mlflow": "mlflow",
    "prometheus_client": "prometheus",
    "supervision": "supervision",
}


def present(package: str) -> bool:
    """Whether a package can be found (it is not imported); where importing it is forbidden it cannot."""
    try:
        return find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def require(*packages: str, what: str = "this") -> None:
    """ConfigError that names the extra to install for the first package that is missing."""
    for package in packages:
        if not present(package):
            raise ConfigError(missing(package, what))


def missing(package: str, what: str = "this") -> str:
    """One sentence: what is not there, and the command that brings it."""
    extra = EXTRA_OF.get(package)
    remedy = f"pip install 'anomalyclip[{extra}]'" if extra is not None else "install anomalyclip again"
    return f"{what} needs the package {package}, which is not installed: {remedy}"


def explained(error: ImportError) -> ConfigError | None:
    """An import that failed, as the error of a user who lacks an extra; None if it is no package of one."""
    package = (error.name or "").partition(".")[0]
    return ConfigError(missing(package)) if package in EXTRA_OF and not present(package) else None
