"""`lockfast run`: what it says of programs, and that they end as they do without it."""
import json
import os
import re
import signal
import subprocess
import tempfile

from suite import at_terminal, client, command, lockfast, refused, run_tests, scratch, subject


def said(ended, *texts):
    flat = " ".join(ended.stderr.split())
    for text in texts:
        assert text in flat, (text, ended)


def test_bad_input():
    assert "no program is given" in refused("run")
    assert "put -- before the program" in refused("run", "true")
    assert "values of lock: required, preferred" in refused("run", "lock=maybe", "--", "true")
    assert "--report FILE" in refused("run", "report=stderr", "--", "true")
    assert "has a comma; give each OPTION=VALUE" in refused("run", "lock=preferred,rest=seal", "--", "true")
    assert "path has a comma" in refused("run", "--report", os.path.join(scratch, "a,b"), "--", "true")
    assert not os.path.exists(os.path.join(scratch, "a,b"))
    assert "cannot be written" in refused("run", "--report", "/nowhere/report", "--", "true")
    assert "is no ordinary file" in refused("run", "--report", "/dev/null", "--", "true")
    nowhere = lockfast("run", "--", "true", env=dict(os.environ, TMPDIR="/nowhere"))
    assert nowhere.returncode == 2 and "set TMPDIR to one" in nowhere.stderr, nowhere


def test_what_cannot_be_started_ends_as_in_a_shell():
    assert lockfast("run", "--", "/nowhere/program").returncode == 127
    assert lockfast("run", "--", scratch).returncode == 126


def test_the_exit_status_passes_through():
    assert lockfast("run", "--", subject("plain")).returncode == 5


def test_a_program_that_never_called_is_told_from_one_that_was_not_there():
    said(lockfast("run", "--", subject("plain")), "never called Lockfast", "neither it nor a library")
    said(lockfast("run", "--", subject("own_libsodium")), "never called Lockfast", "its own copy of libsodium")
    module = subject("own_libsodium_module")
    said(lockfast("run", "--", subject("loader"), module), "never called Lockfast", module, "its own copy of libsodium")
    ended = lockfast("run", "--", subject("static"))
    assert ended.returncode == 5
    said(ended, "was not served", "statically linked")
    ended = lockfast("run", "--", subject("mute"))
    assert ended.returncode == 6
    said(ended, "was not served, or could not say so", "_exit")


def altered(name, source, change):
    """A copy of a program whose bytes are changed."""
    path = os.path.join(scratch, name)
    with open(source, "rb") as file:
        data = change(bytearray(file.read()))
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, 0o755)
    return path


def run_by_linker(name, copy):
    """Runs a copy of a program whose dynamic linker has another name, which starts it all the same. None where there is none."""
    with open(subject("plain"), "rb") as file:
        linker = re.search(rb"/lib64/ld-linux[^\0]*", file.read())
    if linker is None:
        print("  not linked by glibc for x86-64: left out")
        return None
    assert len(name) <= len(linker[0])
    os.symlink(linker[0], name)
    try:
        return lockfast("run", "--", altered(copy, subject("plain"), lambda data: data.replace(
            linker[0], name.ljust(len(linker[0]), b"\0"))))
    finally:
        os.remove(name)


def test_another_libc_is_named():
    ended = run_by_linker(b"/tmp/ld-musl-%06d.so.1" % (os.getpid() % 1000000), "musl")
    if ended is not None:
        assert ended.returncode == 5, ended
        said(ended, "another C library (/tmp/ld-musl")


def test_no_name_commands_the_terminal():
    ended = run_by_linker(b"/tmp/ld\x1b[2J\xc2\x9b-%06d" % (os.getpid() % 1000000), "plain\x1b[2J")
    if ended is not None:
        said(ended, "plain\\x1b[2J (process", "another C library (/tmp/ld\\x1b[2J\\xc2\\x9b-")
        assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", ended.stderr), ended
    assert "/nowhere/\\x1b[2J: " in lockfast("run", "--", "/nowhere/\x1b[2J").stderr


def test_another_processor_is_named():
    def with_machine(data):
        data[18] ^= 0x55
        return data
    said(lockfast("run", "--", altered("foreign", subject("plain"), with_machine)), "another processor")


def test_set_uid_is_named():
    if os.geteuid() != 0:
        print("  not root: left out")
        return
    path = altered("setuid", subject("plain"), lambda data: data)
    os.chown(path, 65534, 65534)
    os.chmod(path, 0o4755)
    said(lockfast("run", "--", path), "set-uid")


def test_a_temporary_report_is_removed():
    folder = tempfile.mkdtemp()
    lockfast("run", "--", subject("plain"), env=dict(os.environ, TMPDIR=folder))
    assert os.listdir(folder) == []


def served(*words, **more):
    return lockfast("run", *words, **more)


if client:
    def test_the_totals_are_the_clients():
        ended = served("--", client, "serve")
        assert ended.returncode == 7
        said(ended, "ran on Lockfast", "3 secrets allocated, 3 freed, 0 refused", "3 isolated, 0 grouped", "breaches none")
        said(served("placement=grouped", "--", client, "serve"), "0 isolated,")

    def test_an_option_here_replaces_the_one_of_the_environment():
        ended = served("hidden=off", "--", client, "serve", env=dict(os.environ, LOCKFAST_OPTIONS="hidden=on,report=stderr"))
        assert ended.returncode == 7
        said(ended, " 0 hidden, ", "hide, for", "the options did not ask for it")
        assert '"line"' not in ended.stderr

    def test_a_client_that_does_not_call_is_known_by_its_symbols():
        said(served("--", client, "idle"), "never called Lockfast", "linked to sodium_malloc, but did not call it")

    def test_a_client_that_locks_its_own_memory_alone_has_called():
        ended = served("--", client, "claim")
        assert ended.returncode == 7
        said(ended, "ran on Lockfast", "0 secrets allocated", "1 range locked by sodium_mlock or lockfast_mlock, 0 refused")

    def test_the_report_is_kept_where_it_was_asked_for():
        path = os.path.join(scratch, "kept")
        for _ in range(2):
            assert served("--report", path, "--", client, "serve").returncode == 7
        with open(path) as file:
            machines = [line for line in map(json.loads, file) if line["line"] == "machine"]
        assert len(machines) == 2

    def test_children_are_counted():
        said(served("--", client, "fork"), "other processes 1: 3 secrets allocated")

    def test_a_script_is_served_through_its_interpreter():
        path = os.path.join(scratch, "script")
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\nexec {client} serve\n")
        os.chmod(path, 0o755)
        ended = served("--", path)
        assert ended.returncode == 7
        said(ended, "3 secrets allocated")

    def test_a_breach_is_shown_and_its_signal_passes_through():
        ended = served("--", client, "breach")
        assert ended.returncode < 0, ended
        said(ended, "breach lockfast: broken canary")

    def test_signals_pass_through():
        for number, status in ((signal.SIGUSR1, 8), (signal.SIGTERM, -signal.SIGTERM)):
            process = subprocess.Popen([command, "run", "--", client, "wait"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert process.stdout.readline() == b"ready\n"
            process.send_signal(number)
            process.communicate(timeout=60)
            assert process.returncode == status, (number, process.returncode)

    def test_an_interrupt_at_the_terminal_ends_both_and_is_told_of():
        output, status = at_terminal("run", "--", client, "wait", keys=b"\x03", after=b"ready")
        assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, (status, output)
        assert "ended by signal 2" in " ".join(output.split()), output

    def test_colours_are_for_a_terminal_without_no_color():
        assert "\x1b[" in at_terminal("run", "--", client, "serve")[0]
        assert "\x1b[" not in at_terminal("run", "--", client, "serve", NO_COLOR="1")[0]
        assert "\x1b[" not in served("--", client, "serve").stderr


def test_ends_of_children_that_are_ignored_stay_so_for_the_program():
    ended = lockfast("run", "--", "grep", "SigIgn", "/proc/self/status",
                     preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    ignored = int(ended.stdout.split()[1], 16)
    assert ended.returncode == 0 and ignored >> (signal.SIGCHLD - 1) & 1, ended


run_tests(globals())
