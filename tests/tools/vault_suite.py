"""What the suites of `lockfast vault` share: vault files, and a terminal at which one types."""
import os
import pty
import re
import select
import subprocess
import tempfile
import termios
import time

from suite import command, scratch

PHRASE = "correct horse battery staple"
CHEAP = "10"  # of the stretching


def pipe_with(*lines):
    """The read end of a pipe that has these lines."""
    read_end, write_end = os.pipe()
    os.write(write_end, "".join(line + "\n" for line in lines).encode())
    os.close(write_end)
    return read_end


def vault(file, action, *words, phrase=PHRASE, secret=b"", program=(), fds=(), **more):
    """Runs an action, with the passphrase by a descriptor; its output is bytes, what it says is text."""
    read_end = pipe_with(phrase)
    try:
        ended = subprocess.run([command, "vault", file, action, *words, "--passphrase-fd", str(read_end),
                                *(["--", *program] if program else [])], input=secret, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, timeout=120, pass_fds=(read_end, *fds), **more)
    finally:
        os.close(read_end)
    ended.stderr = ended.stderr.decode()
    return ended


def done(*words, **more):
    """The output of an action that succeeds and says nothing else."""
    ended = vault(*words, **more)
    assert ended.returncode == 0 and ended.stderr == "", ended
    return ended.stdout


def refused(*words, **more):
    """The one line of an action that is refused."""
    ended = vault(*words, **more)
    assert ended.returncode == 2 and ended.stdout == b"", ended
    assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("lockfast vault"), ended
    return ended.stderr


def new_file(**records):
    """A vault file in a folder of its own, with these records."""
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
    done(file, "new", "--cost", CHEAP)
    for name, secret in records.items():
        done(file, "put", name, secret=secret)
    return file


def content(file):
    with open(file, "rb") as opened:
        return opened.read()


class Terminal:
    """The command at a pseudo-terminal of its own."""

    def __init__(self, *words, environment=(), program=None):
        self.said, self.seen = "", 0
        self.master, slave = pty.openpty()
        self.slave = os.ttyname(slave)  # the command's /proc has it too, for root alone
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.master)
            os.login_tty(slave)
            os.environ.pop("NO_COLOR", None)
            os.environ.update(TERM="xterm", **dict(environment))
            words = [command, *words] if program is None else [program, *words]
            os.execv(words[0], words)
        os.close(slave)

    def _more(self, until):
        if not select.select([self.master], [], [], max(0, until - time.monotonic()))[0]:
            raise AssertionError(("it did not say that", self.said))
        try:
            part = os.read(self.master, 65536)
        except OSError:
            part = b""
        self.said += part.decode(errors="replace")
        return bool(part)

    def expect(self, text):
        """Waits until it has said so, after what was waited for before."""
        until = time.monotonic() + 60
        while text not in self.said[self.seen:]:
            assert self._more(until), ("it ended first", text, self.said)
        self.seen = self.said.index(text, self.seen) + len(text)

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def answer(self, prompt, text):
        """Waits for the prompt, and until nothing is echoed any more; then types a line."""
        self.expect(prompt)
        until = time.monotonic() + 10
        while self.echoes() and time.monotonic() < until:
            time.sleep(0.01)
        assert not self.echoes()
        self.type(text + "\n")

    def echoes(self):
        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def wait(self):
        """What it said, and its status; a signal as a negative number."""
        until = time.monotonic() + 60
        while self._more(until):
            pass
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.master)
        return self.said, os.waitstatus_to_exitcode(status)


def plain(text):
    """What a terminal shows, without its colours and its line ends."""
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text).replace("\r", "")
