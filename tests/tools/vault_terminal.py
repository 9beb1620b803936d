"""`lockfast vault` at a pseudo-terminal: what is asked, what is shown, what is put back."""
import os
import signal
import tempfile
import termios
import time

from suite import command, run_tests, scratch
from vault_suite import CHEAP, PHRASE, Terminal, content, done, new_file, pipe_with, plain

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
    file = new_file(text="wörd".encode(), ends=b"with a line end\n", escape=b"a\x1b[2Jb", c1="a\u009b2Jb".encode(),
                    byte=b"a\x9b2Jb", long=b"a\xc1\x9bb", cut="wö".encode()[:-1])
    said, status = at(file, "get", "text").wait()
    assert status == 2 and "give --show" in said and "wörd" not in said, said

    def shown(name):
        get = at(file, "get", name, "--show")
        get.answer("Passphrase", PHRASE)
        said, status = get.wait()
        return plain(said.partition(": ")[2]), status
    assert shown("text") == ("\nwörd\n", 0)
    assert shown("ends") == ("\nwith a line end\n", 0)
    for name in ("escape", "c1", "byte", "long", "cut"):
        said, status = shown(name)
        assert status == 2 and "a terminal would obey" in said, said
    # Another descriptor may be the terminal as well.
    assert "give --show" in in_shell(f"'{command}' vault '{file}' get text --fd 3 3>&1").wait()[0]


def test_nothing_and_too_much_are_refused():
    file = os.path.join(tempfile.mkdtemp(dir=scratch), "keys.vault")
    for typed, text in (("", "nothing was typed"), ("x" * 5000, "bytes were typed; give it through a descriptor")):
        made = at(file, "new", "--cost", CHEAP)
        made.answer(f"New passphrase of {file}: ", typed)
        said, status = made.wait()
        assert status == 2 and text in said and not os.path.exists(file), (said, status)


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
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGALRM, signal.SIGUSR1):
        listed = at_prompt(file)
        slave = os.open(listed.slave, os.O_RDWR | os.O_NOCTTY)  # keeps the terminal
        os.kill(listed.pid, number)
        status = os.waitpid(listed.pid, 0)[1]
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == number, status
        assert listed.echoes(), number
        os.close(slave)
        os.close(listed.master)


def at_prompt(file):
    """A command that waits for the passphrase, and shows nothing."""
    listed = at(file, "list")
    listed.expect("Passphrase")
    while listed.echoes():
        time.sleep(0.01)
    return listed


def test_a_stop_shows_nothing_afterwards():
    file = new_file(a=b"1")
    for number in (signal.SIGTSTP, signal.SIGSTOP):
        listed = at_prompt(file)
        os.kill(listed.pid, number)
        until, state = time.monotonic() + 10, (0, 0)
        while state[0] == 0:
            assert time.monotonic() < until, f"signal {number} did not stop it"
            state = os.waitpid(listed.pid, os.WUNTRACED | os.WNOHANG)
        assert os.WIFSTOPPED(state[1])
        # The shell finds its terminal as it was, unless nothing could be done about it; then it makes it so itself.
        assert listed.echoes() == (number == signal.SIGTSTP)
        mode = termios.tcgetattr(listed.master)
        mode[3] |= termios.ECHO | termios.ICANON
        termios.tcsetattr(listed.master, termios.TCSANOW, mode)
        os.kill(listed.pid, signal.SIGCONT)
        listed.answer("", PHRASE)
        said, status = listed.wait()
        assert status == 0 and plain(said).endswith("\na\n") and PHRASE not in said, (number, said)


def test_no_secret_is_read_from_a_terminal_that_shows_it():
    file = new_file(a=b"1")
    for words, option in ((["list", "--passphrase-fd", "0"], "--passphrase-fd"), (["put", "b", "--fd", "0"], "--fd"),
                          (["rekey", "--new-passphrase-fd", "0"], "--new-passphrase-fd")):
        asked = at(file, *words)
        if option == "--new-passphrase-fd":
            asked.answer("Passphrase", PHRASE)
        said, status = asked.wait()
        assert status == 2 and f"descriptor 0 of {option} is a terminal" in said, said


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


run_tests(globals())
