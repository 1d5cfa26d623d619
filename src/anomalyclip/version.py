"""The package's version, the single source for the build and for every result file."""

__version__ = "0.1.0"
