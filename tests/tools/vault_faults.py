"""`lockfast vault` when things go wrong: killed, at once, no room; and what its memory has while it waits."""
import fcntl
import os
import random
import resource
import secrets
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

from suite import command, for_everybody, run_tests, scratch
from vault_suite import CHEAP, PHRASE, Terminal, content, done, new_file, pipe_with, refused

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(here)), "examples", "vault"))
from search import found_in, pieces_of  # noqa: E402

LARGE = b"x" * 1000000


def started(file, *words, secret, **more):
    """An action that runs; its passphrase and its secret are given already."""
    read_end = pipe_with(PHRASE)
    with tempfile.TemporaryFile(dir=scratch) as source:
        source.write(secret)
        source.seek(0)
        process = subprocess.Popen([command, "vault", file, *words, "--passphrase-fd", str(read_end)], stdin=source,
                                   pass_fds=[read_end], **more)
    os.close(read_end)
    return process


def names(file):
    return set(done(file, "list").decode().split())


def test_a_put_that_is_killed_leaves_the_file_whole():
    file = new_file(a=LARGE, b=LARGE)
    saving = os.path.join(os.path.dirname(file), ".keys.vault.saving")
    there, killed, within = {"a", "b"}, 0, 0
    for at in range(24):
        put = started(file, "put", f"n{at}", secret=b"1")
        if at % 2 == 0:
            # While it writes.
            while put.poll() is None and not os.path.exists(saving):
                pass
        else:
            time.sleep(random.uniform(0, 0.2))
        put.kill()
        was_killed = put.wait(timeout=60) == -signal.SIGKILL
        killed += was_killed
        within += was_killed and os.path.exists(saving)
        now = names(file)
        assert now == there or now == there | {f"n{at}"}, (at, there, now)
        assert was_killed or f"n{at}" in now
        there = now
    assert killed >= 12 and within >= 3, (killed, within)
    assert done(file, "get", "a") == LARGE
    done(file, "put", "last", secret=b"1")
    assert os.listdir(os.path.dirname(file)) == ["keys.vault"]


def test_puts_at_once_lose_nothing():
    file = new_file()
    count, each = 5, 3

    def put(which):
        for at in range(each):
            done(file, "put", f"{which}.{at}", secret=f"{which}.{at}".encode())
    threads = [threading.Thread(target=put, args=(which,)) for which in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = {f"{which}.{at}" for which in range(count) for at in range(each)}
    assert names(file) == expected, expected - names(file)
    assert done(file, "get", "3.2") == b"3.2"


def test_a_name_that_two_put_at_once_is_of_one():
    file = new_file()
    both = [started(file, "put", "key", secret=secret, stderr=subprocess.DEVNULL) for secret in (b"one", b"two")]
    assert sorted(put.wait(timeout=60) for put in both) == [0, 2]
    assert done(file, "get", "key") == (b"one" if both[0].returncode == 0 else b"two")


def test_of_two_that_make_a_file_one_is_told():
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
    both = [started(file, "new", "--cost", "15", secret=b"", stderr=subprocess.PIPE) for _ in range(2)]
    said = [new.communicate(timeout=60)[1] for new in both]
    assert sorted(new.returncode for new in both) == [0, 2], said
    line = said[0] + said[1]
    assert b"was made by another program" in line or b"is there already" in line, said


def test_a_file_of_another_user_stays_theirs():
    if os.geteuid() != 0:
        print("  not root: left out")
        return
    file = new_file()
    os.chown(file, 65534, 65534)
    done(file, "put", "a", secret=b"1")
    assert (os.stat(file).st_uid, os.stat(file).st_mode & 0o777) == (65534, 0o600)


def test_a_file_that_may_not_grow_stays_as_it_was():
    file = new_file(a=b"1" * 1000)
    before = content(file)
    limit = len(before) + 5000
    line = refused(file, "put", "b", secret=b"x" * 100000,
                   preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert "File too large" in line or "errno 27" in line, line
    assert "nothing was changed" in line, line
    assert content(file) == before and os.listdir(os.path.dirname(file)) == ["keys.vault"]


def test_a_full_disk_leaves_the_file_as_it_was():
    folder = tempfile.mkdtemp(dir=scratch)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], stderr=subprocess.DEVNULL).returncode != 0:
        print("  no file system can be mounted: left out")
        return
    try:
        file = os.path.join(folder, "keys.vault")
        done(file, "new", "--cost", CHEAP)
        done(file, "put", "a", secret=b"1")
        before = content(file)
        line = refused(file, "put", "b", secret=b"x" * 100000)
        assert "errno 28" in line and "nothing was changed" in line, line
        assert content(file) == before and os.listdir(folder) == ["keys.vault"]
        done(file, "put", "c", secret=b"3")
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_link_is_not_followed():
    file = new_file()
    link = os.path.join(os.path.dirname(file), "link")
    os.symlink(file, link)
    assert "link" in refused(link, "put", "a", secret=b"1")


class Searched:
    """A search of a process's memory that is not locked; the control is a variable of its environment."""

    def __init__(self):
        self.control = secrets.token_hex(16)
        self.environment = {"LOCKFAST_CONTROL": self.control}

    def finds(self, pid, *texts):
        control = self.control.encode()[:16]
        needles = {control}
        for text in texts:
            needles |= pieces_of(text)
        found = found_in(pid, needles)
        assert control in found, "the search finds nothing, not even the control"
        return found - {control}


def may_search():
    asking = Terminal("vault", new_file(), "list")
    asking.expect("Passphrase")
    try:
        with open(f"/proc/{asking.pid}/mem", "rb"):
            return True
    except OSError:
        print("  the memory of another process cannot be read here: left out")
        return False
    finally:
        asking.type("\x03")
        asking.wait()


def state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def waiting_bytes(pipe):
    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


def test_no_other_process_of_the_user_reads_its_memory():
    if os.geteuid() != 0:
        print("  not root: left out")
        return
    nobody = 65534
    folder = tempfile.mkdtemp(dir="/tmp")
    try:
        os.chmod(folder, 0o700)
        os.chown(folder, nobody, nobody)
        source, into = os.pipe()
        copied, environment = for_everybody()
        environment["LOCKFAST_OPTIONS"] = "lock=preferred"
        asking = subprocess.Popen([copied, "vault", os.path.join(folder, "keys.vault"), "new", "--cost", CHEAP, "--passphrase-fd",
                                   "0"], stdin=source, stderr=subprocess.PIPE, user=nobody, group=nobody, extra_groups=[],
                                  env={name: value for name, value in environment.items() if name.startswith(("LOCKFAST_", "LD_"))})
        time.sleep(0.2)
        while asking.poll() is None and state(asking.pid) != "S":
            time.sleep(0.02)
        # Its files in /proc would be its user's.
        assert os.stat(f"/proc/{asking.pid}/mem").st_uid == 0
        os.write(into, PHRASE.encode() + b"\n")
        os.close(into)
        os.close(source)
        assert asking.communicate(timeout=60) == (None, b"") and asking.returncode == 0
        assert os.stat(os.path.join(folder, "keys.vault")).st_uid == nobody
    finally:
        shutil.rmtree(folder)


def test_no_secret_is_in_ordinary_memory_while_it_asks():
    if not may_search():
        return
    file, search = new_file(), Searched()
    typed = secrets.token_hex(32)
    put = Terminal("vault", file, "put", "key", environment=search.environment)
    put.answer("Passphrase", PHRASE)
    put.expect("Secret of key: ")
    assert search.finds(put.pid, PHRASE.encode()) == set()
    put.type(typed + "\n")
    put.expect("Again: ")
    assert search.finds(put.pid, PHRASE.encode(), typed.encode()) == set()
    put.type(typed + "\n")
    assert put.wait()[1] == 0
    assert done(file, "get", "key") == typed.encode()


def test_no_secret_is_in_ordinary_memory_while_it_writes():
    if not may_search():
        return
    secret = secrets.token_bytes(300000)
    file, search = new_file(key=secret), Searched()
    read_end, write_end = os.pipe()
    get = started(file, "get", "key", secret=b"", stdout=write_end, env=dict(os.environ, **search.environment))
    os.close(write_end)
    # It waits for room in the pipe.
    while get.poll() is None and not (waiting_bytes(read_end) >= 65536 and state(get.pid) == "S"):
        time.sleep(0.05)
    samples = [secret[at:at + 48] for at in (0, 70000, 200000, len(secret) - 48)]
    found = search.finds(get.pid, PHRASE.encode(), *samples)
    with open(read_end, "rb") as pipe:
        assert pipe.read() == secret
    assert get.wait(timeout=60) == 0 and found == set()


def test_no_passphrase_of_a_pinentry_is_in_ordinary_memory():
    if not may_search():
        return
    search, phrase = Searched(), secrets.token_hex(40)
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
    done(file, "new", "--cost", CHEAP, phrase=phrase)
    answers = os.path.join(tempfile.mkdtemp(dir=scratch), "answers")
    with open(answers, "w") as opened:
        opened.write(phrase + "\nwait")
    rekey = subprocess.Popen([command, "vault", file, "rekey", "--pinentry", os.path.join(here, "pinentry_stub.py")],
                             stderr=subprocess.PIPE, env=dict(os.environ, PINENTRY_ANSWERS=answers, PINENTRY_LOG=os.devnull,
                                                              **search.environment))
    while not os.path.exists(answers + ".waits"):
        time.sleep(0.05)
    try:
        assert search.finds(rekey.pid, phrase.encode()) == set()
    finally:
        rekey.terminate()
        rekey.communicate(timeout=60)


run_tests(globals())
