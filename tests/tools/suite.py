"""What the command's suites share: how it is run, plainly and at a pseudo-terminal. SUITE.py COMMAND FOLDER CLIENT."""
import atexit
import fcntl
import glob
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios

command, folder, client = sys.argv[1:4]
scratch = tempfile.tempdir = tempfile.mkdtemp()
atexit.register(shutil.rmtree, scratch, ignore_errors=True)
# What runs in a shell's background, or under nohup, inherits signals that are ignored; the command here is to meet those of a terminal.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)


def subject(name):
    return os.path.join(folder, "tools_" + name)


def lockfast(*words, **more):
    """Runs the command; its output is text."""
    return subprocess.run([command, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, **more)


def for_everybody():
    """A copy of the command that other users can run, wherever it was built, and the environment in which it finds its libraries."""
    place = tempfile.mkdtemp(dir="/tmp")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    os.chmod(place, 0o755)
    for file in [command, *glob.glob(os.path.join(os.path.dirname(command), "..", "liblockfast*.so.*"))]:
        shutil.copy(file, place)
    return os.path.join(place, os.path.basename(command)), dict(os.environ, LD_LIBRARY_PATH=place)


def refused(*words):
    """The one line of a refusal."""
    ended = lockfast(*words)
    assert ended.returncode == 2 and ended.stdout == "", ended
    assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("lockfast"), ended
    return ended.stderr


def at_terminal(*words, keys=b"", after=b"", columns=0, **environment):
    """Runs the command at a pseudo-terminal of its own; types keys once it has printed `after`. Its output and status."""
    process, terminal = pty.fork()
    if process == 0:
        if columns:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.environ.pop("NO_COLOR", None)
        os.environ.update(TERM="xterm", **environment)
        os.execv(command, [command, *words])
    output = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:
            break
        if not part:
            break
        output += part
        if keys and after in output:
            os.write(terminal, keys)
            keys = b""
    os.close(terminal)
    return output.decode(), os.waitpid(process, 0)[1]


def run_tests(names):
    tests = [(name, test) for name, test in names.items() if name.startswith("test_")]
    assert tests
    for name, test in tests:
        print(name.removeprefix("test_").replace("_", " "), flush=True)
        test()
