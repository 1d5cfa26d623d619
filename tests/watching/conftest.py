"""A journal in a folder of its own, and events on which tests wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.watching.watched import Clock

from anomalyclip.watching.database import Database
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_folder import FolderOptions, FolderSource


@pytest.fixture
def output(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def database(output: Path) -> Iterator[Database]:
    database = Database(output)
    yield database
    database.close()


@pytest.fixture
def journal(database: Database) -> Journal:
    return Journal(database)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """until(lambda: queue.empty()) returns when it is true; a minute without that fails the test."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "nothing happens any more"
            time.sleep(0.005)

    return wait


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def source(folder: Path, journal: Journal, clock: Clock) -> FolderSource:
    return FolderSource(str(folder), journal, FolderOptions(settle=1.0), clock)
