"""Threads that need each other: all are there at once, and none is left behind."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from anomalyclip.native.team import Team


@pytest.mark.parametrize("size", [1, 2, 5])
def test_every_member_has_its_own_number_and_thread_at_the_same_time(size: int) -> None:
    team, meeting = Team(size), threading.Barrier(size)
    seen: dict[int, int] = {}

    def call(number: int) -> None:
        meeting.wait(60)  # opens only if all of them have been started
        seen[number] = threading.get_ident()

    for _ in range(3):
        seen.clear()
        with team.alone():
            team.run(call)
        assert sorted(seen) == list(range(size))
        assert len(set(seen.values())) == size


def test_callers_take_turns() -> None:
    team, inside, most = Team(2), [0], [0]

    def call(number: int) -> None:
        if number == 0:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            inside[0] -= 1

    def caller() -> None:
        for _ in range(50):
            with team.alone():
                team.run(call)

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert most == [1]


def test_what_a_member_raises_comes_out() -> None:
    def call(number: int) -> None:
        if number == 1:
            raise KeyError("from the second")

    team = Team(2)
    with team.alone(), pytest.raises(KeyError, match="from the second"):
        team.run(call)
    with team.alone():
        team.run(lambda number: None)  # and the team goes on


def test_threads_go_with_the_team() -> None:
    before = set(threading.enumerate())  # those of earlier teams may still be ending
    team = Team(3)
    members = [one for one in threading.enumerate() if one not in before]
    assert len(members) == 3
    del team
    for one in members:
        one.join(60)
    assert not any(one.is_alive() for one in members)


_FORK = """
import os, sys
from anomalyclip.native.team import Team
team = Team(2)
seen = []
with team.alone():
    team.run(seen.append)
    child = os.fork()  # while this process holds the lock
if child == 0:
    seen = []
    with team.alone():
        team.run(seen.append)
    sys.exit(0 if sorted(seen) == [0, 1] else 1)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="fork")
def test_a_forked_process_has_threads_of_its_own_and_both_end() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", _FORK], timeout=120, check=False)
    assert done.returncode == 0
