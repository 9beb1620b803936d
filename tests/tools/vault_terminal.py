"""`lockfast vault` at a pseudo-terminal, and with a pinentry: what is asked, what is shown, what is put back."""
import os
import shutil
import signal
import subprocess
import tempfile
import time

from suite import command, run_tests, scratch
from vault_suite import CHEAP, PHRASE, Terminal, content, done, new_file, pipe_with, plain, refused

here = os.path.dirname(os.path.abspath(__file__))
stub = os.path.join(here, "pinentry_stub.py")


def at(file, *words, **more):
    return Terminal("vault", file, *words, **more)


def in_shell(script, **more):
    """A shell at the terminal, which says what the terminal is like after the command."""
    return Terminal("-c", script, program="/bin/sh", **more)


def test_a_file_is_made_filled_and_read():
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
    made = at(file, "new", "--cost", CHEAP)
    made.answer(f"New passphrase of {file}: ", PHRASE)
    made.answer("Again: ", PHRASE)
    assert made.wait()[1] == 0
    put = at(file, "put", "db")
    put.answer(f"Passphrase of {file}: ", PHRASE)
    put.answer("Secret of db: ", "s3cret wörd")
    put.answer("Again: ", "s3cret wörd")
    said, status = put.wait()
    assert status == 0 and "s3cret" not in said and PHRASE not in said, said
    assert done(file, "get", "db") == "s3cret wörd".encode()


def test_the_terminal_gets_a_secret_only_when_asked():
    file = new_file(text="wörd".encode(), ends=b"with a line end\n", escape=b"a\x1b[2Jb", c1="a\u009b2Jb".encode())
    said, status = at(file, "get", "text").wait()
    assert status == 2 and "give --show" in said and "wörd" not in said, said

    def shown(name):
        get = at(file, "get", name, "--show")
        get.answer("Passphrase", PHRASE)
        said, status = get.wait()
        return plain(said.partition(": ")[2]), status
    assert shown("text") == ("\nwörd\n", 0)
    assert shown("ends") == ("\nwith a line end\n", 0)
    for name in ("escape", "c1"):
        said, status = shown(name)
        assert status == 2 and "a terminal would obey" in said, said
    # Another descriptor may be the terminal as well.
    assert "give --show" in in_shell(f"'{command}' vault '{file}' get text --fd 3 3>&1").wait()[0]


def test_two_that_differ_change_nothing():
    file = new_file()
    before = content(file)
    put = at(file, "put", "db")
    put.answer("Passphrase", PHRASE)
    put.answer("Secret of db: ", "one")
    put.answer("Again: ", "two")
    said, status = put.wait()
    assert status == 2 and "the two differ" in said, said
    fresh = os.path.join(os.path.dirname(file), "fresh")
    made = at(fresh, "new", "--cost", CHEAP)
    made.answer("New passphrase", "one")
    made.answer("Again: ", "two")
    said, status = made.wait()
    assert status == 2 and not os.path.exists(fresh), said
    assert content(file) == before


def test_a_person_has_three_tries():
    file = new_file(a=b"1")
    listed = at(file, "list")
    listed.answer("Passphrase", "no")
    listed.answer("Wrong. Passphrase", "neither")
    listed.answer("Wrong. Passphrase", PHRASE)
    assert listed.wait()[1] == 0
    listed = at(file, "list")
    for prompt in ("Passphrase", "Wrong. Passphrase", "Wrong. Passphrase"):
        listed.answer(prompt, "no")
    said, status = listed.wait()
    assert status == 2 and "the passphrase is wrong" in said, said


def test_what_cannot_be_done_is_said_before_a_secret_is_typed():
    file = new_file(a=b"1")
    put = at(file, "put", "a")
    put.answer("Passphrase", PHRASE)
    said, status = put.wait()
    assert status == 2 and "give --replace" in said and "Secret" not in said, said
    said, status = at(file + ".none", "put", "a").wait()
    assert status == 2 and "Passphrase" not in said, said


def test_the_terminal_is_put_back():
    file = new_file()
    script = f"'{command}' vault '{file}' list; echo \"status $?\"; stty -a | tr ' ' '\\n' | grep -x -- '-\\?echo\\|-\\?icanon\\|-\\?isig'"
    for keys in (b"\x03", b"\x04"):
        shell = in_shell(script)
        shell.expect("Passphrase")
        while shell.echoes():
            time.sleep(0.01)
        shell.type(keys)
        said = plain(shell.wait()[0])
        assert "cancelled" in said and said.endswith("status 2\nisig\nicanon\necho\n"), said
    # Whatever ends it.
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        listed = at(file, "list")
        listed.expect("Passphrase")
        while listed.echoes():
            time.sleep(0.01)
        slave = os.open(f"/proc/{listed.pid}/fd/0", os.O_RDWR | os.O_NOCTTY)  # keeps the terminal
        os.kill(listed.pid, number)
        status = os.waitpid(listed.pid, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, status
        assert listed.echoes(), number
        os.close(slave)
        os.close(listed.master)


def test_somebody_who_types_holds_nobody_up():
    file = new_file()
    put = at(file, "put", "slow")
    put.answer("Passphrase", PHRASE)
    put.expect("Secret of slow: ")
    done(file, "put", "fast", secret=b"1")
    put.type("2\n")
    put.answer("Again: ", "2")
    said, status = put.wait()
    assert status == 0, said
    assert done(file, "list") == b"fast\nslow\n"
    # What was done meanwhile may forbid it.
    put = at(file, "put", "taken")
    put.answer("Passphrase", PHRASE)
    put.expect("Secret of taken: ")
    done(file, "put", "taken", secret=b"first")
    put.type("2\n")
    put.answer("Again: ", "2")
    said, status = put.wait()
    assert status == 2 and "already" in said, said
    assert done(file, "get", "taken") == b"first"


def test_a_passphrase_that_was_changed_meanwhile_is_told_of():
    file = new_file()
    put = at(file, "put", "slow")
    put.answer("Passphrase", PHRASE)
    put.expect("Secret of slow: ")
    fresh = pipe_with("another one")
    done(file, "rekey", "--new-passphrase-fd", str(fresh), "--cost", CHEAP, fds=[fresh])
    os.close(fresh)
    put.type("2\n")
    put.answer("Again: ", "2")
    said, status = put.wait()
    assert status == 2 and "the passphrase is wrong" in said, said
    assert done(file, "list", phrase="another one") == b""


def test_long_work_shows_how_far_it_is():
    folder = tempfile.mkdtemp(dir=scratch)
    made = at(os.path.join(folder, "slow"), "new", "--cost", "19")
    made.answer("New passphrase", PHRASE)
    made.answer("Again: ", PHRASE)
    begin = time.monotonic()
    said, status = made.wait()
    took = time.monotonic() - begin
    assert status == 0, said
    if took < 1.5:
        print("  this machine is too fast: left out")
    else:
        assert "saving: stretching the passphrase, 1 s" in said and said.endswith("\r\x1b[K"), said
    # Not within a second, not where standard error is no terminal, not on a dumb one.
    file = new_file()
    listed = at(file, "list")
    listed.answer("Passphrase", PHRASE)
    assert "\x1b" not in listed.wait()[0]


def with_pinentry(*answers, program=stub, words=("list",), file=None, **more):
    """The command with a pinentry and no terminal; and what the pinentry was told."""
    folder = tempfile.mkdtemp(dir=scratch)
    environment = dict(os.environ, PINENTRY_ANSWERS=os.path.join(folder, "answers"), PINENTRY_LOG=os.path.join(folder, "log"),
                       **more)
    with open(environment["PINENTRY_ANSWERS"], "w") as opened:
        opened.write("\n".join(answers))
    chosen = [] if program is None else ["--pinentry", program]
    ended = subprocess.run([command, "vault", file, *words, *chosen], env=environment, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, start_new_session=True)
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


run_tests(globals())
