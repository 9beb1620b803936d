"""What the tests of the Python module share: programs in interpreters of their own. The environment names the library
(LOCKFAST_LIBRARY), the source (LOCKFAST_TEST_SOURCE) and a C compiler (LOCKFAST_TEST_CC)."""
import gc
import os
import pathlib
import subprocess
import sys
import textwrap

import lockfast
import pytest

SOURCE = pathlib.Path(os.environ["LOCKFAST_TEST_SOURCE"])
BOTH = pytest.mark.parametrize("placement", lockfast.Placement)


def child(program, options="", **more):
    """Runs a program, and returns what became of it. From Python 3.12 on a fork beside threads, which is tested, is warned of."""
    environment = dict(os.environ, LOCKFAST_OPTIONS=options)
    environment.pop("PYTHONUNBUFFERED", None)
    program = "import ctypes, gc, os, sys, lockfast\nfrom lockfast import Secret\n" + textwrap.dedent(program)
    return subprocess.run([sys.executable, "-W", "ignore::DeprecationWarning", "-c", program], env=environment, capture_output=True,
                          text=True, timeout=300, check=False, **more)


def ended_well(program, options=""):
    """What a program printed that came to its end and had no complaint."""
    ended = child(program, options)
    assert (ended.returncode, ended.stderr) == (0, ""), ended
    return ended.stdout


def died(program, by, options=""):
    """What a program said that reached its last line but one, where it prints "ready", and died there of a signal."""
    ended = child(program, options)
    assert ended.stdout == "ready\n" and ended.returncode == -by, ended
    return ended.stderr


def live():
    """How many secrets there are, without those that only wait for the collector."""
    gc.collect()
    return lockfast.statistics()["live"]
