"""`lockfast vault` with a pinentry: what is said to it, what is taken from it, and that it is never left behind."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from suite import command, run_tests, scratch
from vault_suite import CHEAP, PHRASE, Terminal, done, new_file, plain, refused

here = os.path.dirname(os.path.abspath(__file__))
stub = os.path.join(here, "pinentry_stub.py")


def at(file, *words, **more):
    return Terminal("vault", file, *words, **more)


def with_pinentry(*answers, program=stub, words=("list",), program_words=(), file=None, pass_fds=(), **more):
    """The command with a pinentry and no terminal; and what the pinentry was told."""
    folder = tempfile.mkdtemp(dir=scratch)
    environment = dict(os.environ, PINENTRY_ANSWERS=os.path.join(folder, "answers"), PINENTRY_LOG=os.path.join(folder, "log"),
                       **more)
    with open(environment["PINENTRY_ANSWERS"], "w") as opened:
        opened.write("\n".join(answers))
    chosen = [] if program is None else ["--pinentry", program]
    ended = subprocess.run([command, "vault", file, *words, *chosen, *(["--", *program_words] if program_words else [])],
                           env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                           timeout=60, start_new_session=True, pass_fds=pass_fds)
    said = ""
    if os.path.exists(environment["PINENTRY_LOG"]):
        with open(environment["PINENTRY_LOG"]) as opened:
            said = opened.read()
    return ended, said


def test_a_pinentry_asks():
    file = new_file(a=b"1")
    ended, said = with_pinentry(PHRASE, file=file)
    assert ended.returncode == 0 and ended.stdout == "a\n" and ended.stderr == "", (ended, said)
    assert f"SETDESC Passphrase of {file}\n" in said and "GETPIN" in said, said
    # As a person at the terminal: three tries.
    ended, said = with_pinentry("no", "no", PHRASE, file=file)
    assert ended.returncode == 0 and "SETERROR That passphrase is wrong\n" in said, (ended, said)
    assert "the passphrase is wrong" in with_pinentry("no", "no", "no", file=file)[0].stderr


def test_what_a_pinentry_gives_is_decoded():
    phrase = "100%41\\n%25 %"
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "with % and space")
    for first in ([], ["repeat"]):
        answers = [*first, phrase] if first else [phrase, phrase]
        ended, said = with_pinentry(*answers, file=file, words=["new", "--cost", CHEAP])
        assert ended.returncode == 0, (ended, said)
        assert "SETDESC New passphrase of " + file.replace("%", "%25") + "\n" in said, said
        assert said.count("GETPIN") == (1 if first else 2), said
        # The line end in it is one of the passphrase's: a raw pipe would end there.
        ended, said = with_pinentry(phrase, file=file)
        assert ended.returncode == 0, (ended, said)
        assert "wrong" in refused(file, "list", phrase="100%41")
        os.remove(file)
    ended, said = with_pinentry("one", "two", file=file, words=["new", "--cost", CHEAP])
    assert ended.returncode == 2 and "differ" in ended.stderr and not os.path.exists(file), ended


def test_a_pinentry_that_does_not_answer_is_told_of():
    file = new_file()
    for answers, text in ((["!83886179"], "cancelled"), (["!83886278"], "cancelled"), (["!83918950"], "it refused"),
                          ([], "without an answer"), (["empty"], "at least one character")):
        ended, said = with_pinentry(*answers, file=file)
        assert ended.returncode == 2 and text in ended.stderr and ended.stderr.count("\n") == 1, (ended, said)
    for program, text in (("/nowhere/pinentry", "cannot be started"), ("/bin/true", "did not ask")):
        ended, _ = with_pinentry(file=file, program=program)
        assert ended.returncode == 2 and text in ended.stderr and ended.stderr.count("\n") == 1, ended
        assert ("or give --passphrase-fd N" in ended.stderr) == (program == "/bin/true"), ended


def test_where_a_pinentry_does_not_ask_for_the_new_passphrase_the_option_that_gives_that_one_is_named():
    line = refused(new_file(), "rekey", "--pinentry", "/bin/true")
    assert "did not ask" in line and "or give --new-passphrase-fd N" in line, line


def test_without_a_terminal_a_pinentry_is_found():
    file = new_file(a=b"1")
    folder = tempfile.mkdtemp(dir=scratch)
    os.symlink(stub, os.path.join(folder, "pinentry"))
    ended, _ = with_pinentry(PHRASE, file=file, program=None, PATH=folder + ":" + os.environ["PATH"])
    assert ended.stdout == "a\n", ended
    ended, _ = with_pinentry(file=file, program=None, PATH=scratch)
    assert ended.returncode == 2 and "--passphrase-fd N" in ended.stderr, ended


def test_a_pinentry_of_debian_asks():
    tty, curses = shutil.which("pinentry-tty"), shutil.which("pinentry-curses")
    if tty is None:
        print("  pinentry-tty is not there: left out")
    else:
        file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
        made = at(file, "new", "--cost", CHEAP, "--pinentry", tty)
        made.answer("Passphrase:", PHRASE)
        made.answer("Again:", PHRASE)
        said, status = made.wait()
        assert status == 0, said
        assert done(file, "list") == b""
        listed = at(file, "list", "--pinentry", tty)
        listed.expect(file)
        listed.answer("Passphrase:", "no")
        listed.expect("That passphrase is wrong")
        listed.answer("Passphrase:", PHRASE)
        assert listed.wait()[1] == 0
    if curses is None:
        print("  pinentry-curses is not there: left out")
        return
    file = new_file(a=b"1")
    listed = at(file, "list", "--pinentry", curses)
    listed.expect("Passphrase")
    time.sleep(0.5)
    listed.type(PHRASE + "\r")
    said, status = listed.wait()
    assert status == 0 and plain(said).rstrip().endswith("a"), said


def test_nothing_of_ours_goes_to_a_pinentry():
    file = new_file(a=b"1")
    ended, said = with_pinentry(PHRASE, "fresh", "fresh", file=file, words=["rekey"])
    assert ended.returncode == 0 and "# 0 1 2\n" in said, (ended, said)
    # Nor is anything of its own left for a program.
    ended, _ = with_pinentry("fresh", file=file, words=["run", "a=3"], program_words=["grep", "SigIgn", "/proc/self/status"])
    assert ended.stdout == subprocess.run(["grep", "SigIgn", "/proc/self/status"], stdout=subprocess.PIPE, text=True).stdout
    # A file that holds a secret, open as 9 for the command, is not for it.
    with tempfile.TemporaryFile() as secret:
        secret.write(b"2")
        secret.seek(0)
        ended, said = with_pinentry("fresh", file=file, words=["put", "b", "--fd", str(secret.fileno())], pass_fds=[secret.fileno()])
    assert ended.returncode == 0 and "# 0 1 2\n" in said, (ended, said)


def test_what_a_pinentry_must_not_say_is_refused():
    file = new_file()
    for answer, text in (("lines", "more than 4096 bytes were typed"), ("line", "a line has more than 4096 bytes"),
                         ("remarks", "says much, and no answer")):
        ended, _ = with_pinentry("?" + answer, file=file)
        assert ended.returncode == 2 and text in ended.stderr and ended.stderr.count("\n") == 1, ended
    for kind, text in (("silent", "does not greet"), ("deaf", "does not answer")):
        begin = time.monotonic()
        ended, said = with_pinentry(file=file, PINENTRY_KIND=kind)
        assert ended.returncode == 2 and text in ended.stderr and ended.stderr.count("\n") == 1, ended
        assert time.monotonic() - begin < 30
        assert_gone(said)


def test_a_percent_sign_at_a_line_s_end_is_one():
    for raw in ("ends with %", "ends with %4", "%zz and %"):
        file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
        done(file, "new", "--cost", CHEAP, phrase=raw)
        ended, _ = with_pinentry("=" + raw, file=file)
        assert ended.returncode == 0, (raw, ended)


def assert_gone(said):
    """The process that wrote this log ends soon."""
    process = said.split("\n", 1)[0].removeprefix("# ")
    until = time.monotonic() + 10
    while os.path.exists(f"/proc/{process}"):
        assert time.monotonic() < until, "the pinentry is still there"
        time.sleep(0.02)


def test_whatever_ends_the_command_ends_the_pinentry():
    file = new_file()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        folder = tempfile.mkdtemp(dir=scratch)
        answers, log = os.path.join(folder, "answers"), os.path.join(folder, "log")
        with open(answers, "w") as opened:
            opened.write("wait")
        # It would go on by itself: it does not look whether its input has ended.
        process = subprocess.Popen([command, "vault", file, "list", "--pinentry", stub],
                                   env=dict(os.environ, PINENTRY_ANSWERS=answers, PINENTRY_LOG=log, PINENTRY_KIND="busy"))
        while not os.path.exists(answers + ".waits"):
            time.sleep(0.02)
        process.send_signal(number)
        assert process.wait(timeout=60) == -number
        with open(log) as opened:
            assert_gone(opened.read())


run_tests(globals())
