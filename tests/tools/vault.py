"""`lockfast vault`: its actions, from scripts."""
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time

from suite import command, lockfast, run_tests, scratch
from vault_suite import CHEAP, PHRASE, content, done, new_file, pipe_with, refused, vault

tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def test_a_secret_comes_back_as_it_was():
    every_byte = bytes(range(256)) * 900
    file = new_file(all=every_byte, one=b"x", newline=b"token\n")
    assert done(file, "get", "all") == every_byte
    assert done(file, "get", "one") == b"x"
    assert done(file, "get", "newline") == b"token\n"
    done(file, "put", "line", "--line", secret=b"token\nrest")
    assert done(file, "get", "line") == b"token"
    assert os.stat(file).st_mode & 0o777 == 0o600
    assert os.listdir(os.path.dirname(file)) == ["keys.vault"]


def test_descriptors_carry_the_secret():
    file = new_file()
    source = pipe_with("by descriptor")
    done(file, "put", "key", "--line", "--fd", str(source), fds=[source])
    os.close(source)
    read_end, write_end = os.pipe()
    assert done(file, "get", "key", "--fd", str(write_end), fds=[write_end]) == b""
    os.close(write_end)
    assert os.read(read_end, 100) == b"by descriptor"
    os.close(read_end)
    assert "descriptor 77 of --fd is not open" in refused(file, "get", "key", "--fd", "77")
    assert "descriptor 77 of --fd is not open" in refused(file, "put", "other", "--fd", "77")


def test_a_descriptor_of_the_command_itself_is_none_of_the_users():
    file = new_file()
    for number in range(3, 12):
        ended = lockfast("vault", file, "list", "--passphrase-fd", str(number))
        assert ended.returncode == 2 and "is not open" in ended.stderr, ended
    done(file, "put", "key", secret=b"secret")
    for words in (["put", "other", "--fd"], ["get", "key", "--fd"], ["rekey", "--cost", CHEAP, "--new-passphrase-fd"]):
        for number in range(3, 12):
            ended = subprocess.run([command, "vault", file, *words, str(number), "--passphrase-fd", "0"], input=PHRASE.encode() + b"\n",
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            assert ended.returncode == 2 and b"is not open" in ended.stderr, ended
    assert done(file, "get", "key") == b"secret"


def test_the_passphrase_and_the_secret_may_share_the_standard_input():
    file = new_file()
    ended = subprocess.run([command, "vault", file, "put", "key", "--passphrase-fd", "0"], input=PHRASE.encode() + b"\nthe rest\n",
                           stderr=subprocess.PIPE, timeout=60)
    assert ended.returncode == 0, ended
    assert done(file, "get", "key") == b"the rest\n"


def test_names_are_listed_sorted():
    file = new_file(b=b"22", a=b"1", c=b"333")
    assert done(file, "list") == b"a\nb\nc\n"
    assert done(file, "list", "--sizes") == b"a\t1\nb\t2\nc\t3\n"
    done(file, "rename", "a", "z with a space = and more")
    assert done(file, "list") == b"b\nc\nz with a space = and more\n"


def test_a_name_belongs_to_one_record():
    file = new_file(a=b"1", b=b"2")
    before = content(file)
    assert "give --replace" in refused(file, "put", "a", secret=b"3")
    assert "already" in refused(file, "rename", "a", "b")
    assert "no record has the name 'c'" in refused(file, "rename", "c", "d")
    assert "no record has the name 'c'" in refused(file, "get", "c")
    assert content(file) == before
    done(file, "put", "a", "--replace", secret=b"3")
    assert done(file, "get", "a") == b"3"


def test_all_of_the_named_records_are_removed_or_none():
    file = new_file(a=b"1", b=b"2", c=b"3")
    before = content(file)
    assert "no record has the name 'd'" in refused(file, "remove", "a", "d", "b")
    assert content(file) == before
    done(file, "remove", "a", "c")
    assert done(file, "list") == b"b\n"


def test_a_record_may_have_the_name_of_an_action():
    file = new_file()
    for name in ("list", "vault", "run"):
        done(file, "put", name, secret=name.encode())
    done(file, "remove", "list", "run")
    assert done(file, "list") == b"vault\n"


def test_names_that_a_terminal_would_obey_are_neither_taken_nor_printed():
    file = new_file()
    assert "control character" in refused(file, "put", "a\x1b[2Jb", secret=b"1")
    assert "control character" in refused(file, "put", "a\u009b2Jb", secret=b"1")
    assert "at least one character" in refused(file, "put", "", secret=b"1")
    # Another program may have made such names, and records without a name.
    writer = os.path.join(tests, "vault", "vault_file.py")
    records = "4294967296 01 {} -\n4294967297 02 - -\n".format("a\x1b[2J\u009b\u00e9".encode().hex())
    subprocess.run([sys.executable, writer, "--write", file, PHRASE], input=records.encode(), check=True)
    ended = vault(file, "list")
    assert ended.stdout == b"a\\x1b[2J\\xc2\\x9b\xc3\xa9\n", ended
    assert "1 more records have no name" in ended.stderr


def test_a_wrong_passphrase_changes_nothing():
    file = new_file(a=b"1")
    before = content(file)
    for words in (["list"], ["get", "a"], ["put", "b"], ["remove", "a"], ["rename", "a", "b"], ["verify"], ["run", "a=B"]):
        assert "the passphrase is wrong" in refused(file, *words, phrase="wrong", secret=b"1",
                                                    program=["true"] if words[0] == "run" else ())
    assert content(file) == before


def test_a_file_that_is_not_there_is_told_of_first():
    line = refused(os.path.join(scratch, "none"), "put", "a", secret=b"1")
    assert "no such file" in line and "lockfast vault" in line and "new" in line, line
    file = new_file()
    before = content(file)
    assert "is there already" in refused(file, "new")
    assert content(file) == before


def test_empty_and_large_secrets_are_refused():
    file = new_file()
    assert "standard input has no secret" in refused(file, "put", "a")
    assert "more than 1 MiB" in refused(file, "put", "a", secret=bytes((1 << 20) + 1))
    assert "has no passphrase" in refused(file, "list", phrase="")
    endless = subprocess.run([command, "vault", file, "list", "--passphrase-fd", "0"], stdin=open("/dev/zero"), capture_output=True)
    assert endless.returncode == 2 and b"the first line of descriptor 0 has more than 64 KiB" in endless.stderr, endless


def test_a_descriptor_that_cannot_be_read_is_told_as_such():
    file = new_file()
    line = refused(file, "put", "key", "--fd", "-1")
    assert "not in range 0 to" in line and len(line) < 200, line
    read_end, write_end = os.pipe()
    line = refused(file, "put", "key", "--fd", str(write_end), fds=[write_end])
    assert "its descriptor is not open for that" in line, line
    os.close(read_end)
    os.close(write_end)


def test_bad_words_get_one_line():
    file = new_file()
    assert "commands: new, put" in refused(file, "frobnicate")
    assert "10 to 20" in refused(file, "new", "--cost", "9")
    assert "takes no program" in refused(file, "list", program=["true"])
    for words, text in (([], "file is required"), ([file], "commands: new, put"), ([file, "get"], "name is required")):
        ended = lockfast("vault", *words)
        assert ended.returncode == 2 and text in ended.stderr and ended.stderr.count("\n") == 1, ended


def test_a_re_keyed_file_opens_under_the_new_passphrase_alone():
    file = new_file(a=b"1")
    fresh = pipe_with("another one")
    done(file, "rekey", "--new-passphrase-fd", str(fresh), "--cost", "11", fds=[fresh])
    os.close(fresh)
    assert "the passphrase is wrong" in refused(file, "list")
    assert done(file, "get", "a", phrase="another one") == b"1"
    assert b"scrypt with 2 MiB" in done(file, "verify", phrase="another one")
    # Later saves keep the cost.
    done(file, "put", "b", phrase="another one", secret=b"2")
    assert b"scrypt with 2 MiB" in done(file, "verify", phrase="another one")


def test_without_a_terminal_somebody_must_say_the_new_passphrase():
    file = new_file()
    line = refused(file, "rekey", env=dict(os.environ, PATH=scratch), start_new_session=True)
    assert "no terminal to ask for the new passphrase; give it by --new-passphrase-fd N" in line, line


def test_what_may_be_a_secret_is_not_repeated():
    line = refused(new_file(), "put", "db", "s3cret")
    assert "s3cret" not in line and "never the secret as an argument" in line, line
    ended = lockfast("a\x1b[2Jb")
    assert ended.returncode == 2 and "\x1b" not in ended.stderr and "a\\x1b[2Jb" in ended.stderr, ended


def test_verify_says_what_it_found():
    assert b"whole, 1 record, saved 2 times" in done(new_file(a=b"1"), "verify")
    file = new_file(a=b"1", b=b"2")
    assert done(file, "verify") == f"{file}: whole, 2 records, saved 3 times, format 2, scrypt with 1 MiB\n".encode()
    whole = content(file)
    for at in (len(whole) - 1, 150):
        with open(file, "wb") as changed:
            changed.write(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        ended = vault(file, "verify")
        assert ended.returncode == 1 and "load a copy" in ended.stderr and ended.stderr.count("\n") == 1, ended
    for text in (b"no vault at all", b""):
        with open(file, "wb") as changed:
            changed.write(text)
        ended = vault(file, "verify")
        assert ended.returncode == 1 and "name another file" in ended.stderr, ended


def test_a_file_that_asks_for_too_much_or_is_newer_is_not_loaded():
    file = new_file()
    whole = content(file)
    for at, value, text in ((8, 9, "use a newer version"), (16, 24, "asks for 2^24 KiB")):
        with open(file, "wb") as changed:
            changed.write(whole[:at] + bytes([value]) + whole[at + 1:])
        assert text in refused(file, "list")


def shell(file, script, *records, **more):
    return vault(file, "run", *records, program=["sh", "-c", script], **more)


def test_a_program_gets_records_by_variables_and_descriptors():
    file = new_file(pass_word=b"hunter2", key=bytes(range(256)), long=b"x" * 300000)
    ended = shell(file, 'printf %s "$PASSWORD"; cat <&7; exit 9', "pass_word=PASSWORD", "key=7")
    assert ended.returncode == 9 and ended.stdout == b"hunter2" + bytes(range(256)), ended
    assert shell(file, "cat", "long=0").stdout == b"x" * 300000
    assert shell(file, "cat /dev/fd/3", "long=3").stdout == b"x" * 300000
    # A variable that is there already is replaced, and no other is touched.
    ended = shell(file, "env", "pass_word=HOME", env={"HOME": "/", "OTHER": "o", "PATH": os.environ["PATH"]})
    lines = set(ended.stdout.split(b"\n"))
    assert b"HOME=hunter2" in lines and b"OTHER=o" in lines and b"HOME=/" not in lines, ended


def test_the_program_has_nothing_else_of_ours():
    file = new_file(key=b"1")
    assert shell(file, "ls /proc/$$/fd; :", "key=3").stdout == b"0\n1\n2\n3\n"
    # The status of grep itself: a shell blocks signals while it starts a program.
    signals = ["grep", "-E", "Sig(Ign|Blk)", "/proc/self/status"]
    assert vault(file, "run", "key=3", program=signals).stdout == subprocess.run(signals, stdout=subprocess.PIPE).stdout


def test_the_program_does_not_get_the_passphrase():
    file, phrase = new_file(key=b"1"), os.path.join(tempfile.mkdtemp(dir=scratch), "phrase")
    with open(phrase, "w") as written:
        written.write(PHRASE + "\n")
    for descriptor in ("0", "5"):
        ended = subprocess.run(["sh", "-c", f"exec '{command}' vault '{file}' run key=3 --passphrase-fd {descriptor} "
                                f"{descriptor}<'{phrase}' -- sh -c 'cat /proc/self/fd/{descriptor}; cat <&3'"],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
        assert ended.stdout == b"1", ended


def test_few_descriptors_are_enough():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
    file = new_file(key=b"1")
    assert shell(file, "cat <&3", "key=3", preexec_fn=few).stdout == b"1"
    assert "ulimit -n" in refused(file, "run", "key=40", program=["true"], preexec_fn=few)


def test_what_cannot_be_handed_over_is_refused():
    file = new_file(binary=b"a\0b", large=b"x" * 200000)
    assert "binary=3" in refused(file, "run", "binary=KEY", program=["true"])
    assert "no record has the name 'c'" in refused(file, "run", "c=KEY", program=["true"])
    assert "neither a variable" in refused(file, "run", "large=1", program=["true"])
    assert "neither a variable" in refused(file, "run", "large=A-B", program=["true"])
    assert "no NAME=WHERE" in refused(file, "run", "large", program=["true"])
    assert "go to one place" in refused(file, "run", "large=A", "binary=A", program=["true"])
    assert "no program is given" in refused(file, "run", "large=A")
    ended = vault(file, "run", "large=KEY", program=["true"])
    assert ended.returncode == 126 and "as a descriptor" in ended.stderr, ended


def test_the_program_ends_as_without_us():
    file = new_file(key=b"1")
    assert vault(file, "run", "key=3", program=["/nowhere/program"]).returncode == 127
    assert vault(file, "run", "key=3", program=[scratch]).returncode == 126
    assert shell(file, "kill -9 $$", "key=3").returncode == -signal.SIGKILL
    for number in (signal.SIGTERM, signal.SIGUSR1):
        read_end = pipe_with(PHRASE)
        process = subprocess.Popen([command, "vault", file, "run", "key=3", "--passphrase-fd", str(read_end), "--", "sh", "-c",
                                    "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"], stdout=subprocess.PIPE,
                                   pass_fds=[read_end])
        os.close(read_end)
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(timeout=60) == (5 if number == signal.SIGTERM else -number)
        process.stdout.close()


def test_a_secret_that_nobody_reads_is_told_of():
    file = new_file(key=b"x" * 1000)
    with open("/dev/full", "wb") as full:
        read_end = pipe_with(PHRASE)
        ended = subprocess.run([command, "vault", file, "get", "key", "--passphrase-fd", str(read_end)], stdout=full,
                               stderr=subprocess.PIPE, text=True, pass_fds=[read_end], timeout=60)
        os.close(read_end)
    assert ended.returncode == 2 and "could not be written" in ended.stderr, ended


def test_a_pipe_that_does_not_wait_gets_all_of_it():
    secret = os.urandom(300000)
    file = new_file(key=secret)
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    phrase = pipe_with(PHRASE)
    get = subprocess.Popen([command, "vault", file, "get", "key", "--passphrase-fd", str(phrase)], stdout=write_end, pass_fds=[phrase])
    os.close(phrase)
    os.close(write_end)
    time.sleep(0.5)
    with open(read_end, "rb") as pipe:
        assert pipe.read() == secret
    assert get.wait(timeout=60) == 0


def test_another_user_of_the_library_is_waited_for():
    file = new_file()
    # Who holds a file locks this name.
    hold = os.path.join(os.path.dirname(file), ".keys.vault.hold")
    holder = subprocess.Popen([sys.executable, "-c", "import fcntl, os, sys, time\n"
                               f"file = os.open({hold!r}, os.O_RDWR | os.O_CREAT, 0o600)\n"
                               "fcntl.flock(file, fcntl.LOCK_EX)\nprint('held', flush=True)\ntime.sleep(1)\n"],
                              stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    begin = time.monotonic()
    done(file, "put", "a", secret=b"1")
    holder.wait()
    holder.stdout.close()
    assert time.monotonic() - begin > 0.5
    assert done(file, "list") == b"a\n"


run_tests(globals())
