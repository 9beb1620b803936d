"""The command itself: its help, its refusals, its completions."""
import os
import shutil
import subprocess

from suite import command, lockfast, refused, run_tests

root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def candidates(*words):
    return [line.split("\t")[0] for line in lockfast("complete", "--", *words).stdout.splitlines()]


commands = candidates("")


def test_each_help_fits_a_screen():
    assert "run" in commands and "doctor" in commands
    actions = [["vault", name] for name in candidates("vault", "FILE", "")]
    for words in [[]] + [[name] for name in commands] + actions:
        ended = lockfast(*words, "--help")
        assert ended.returncode == 0 and ended.stderr == "", ended
        lines = ended.stdout.splitlines()
        assert len(lines) <= 24 and max(map(len, lines)) <= 100, (words, len(lines), max(lines, key=len))


def test_the_version_is_that_of_the_library():
    with open(os.path.join(root, "include/lockfast/lockfast.h")) as header:
        version = header.read().split('#define LOCKFAST_VERSION "')[1].split('"')[0]
    assert lockfast("--version").stdout == f"lockfast {version}\n"


def test_bad_input_gets_one_line_that_says_what_is_right():
    assert "commands: " in refused("frobnicate") and "doctor" in refused("frobnicate")
    assert "--json" in refused("doctor", "--jsn")
    assert "takes no program" in refused("doctor", "--", "true")
    assert lockfast().returncode == 2


def test_a_full_disk_is_no_success():
    for words in (["--version"], ["--help"], ["map", "--help"], ["map", "--demo"]):
        with open("/dev/full", "w") as full:
            ended = subprocess.run([command, *words], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert ended.returncode == 2, words
        assert b"standard output could not be written; give it a place with room" in ended.stderr, words


def test_the_command_for_linked_programs_has_a_help():
    served = os.path.join(root, "compat/lockfast-served")
    ended = subprocess.run([served, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert ended.returncode == 0 and ended.stdout.startswith("usage: lockfast-served PROGRAM\n") and ended.stderr == "", ended
    assert subprocess.run([served], stderr=subprocess.DEVNULL, timeout=60).returncode == 2


def test_completions_follow_the_parser():
    assert candidates("d") == ["doctor"]
    assert "--json" in candidates("doctor", "--")
    assert "--report" in candidates("run", "--r")
    if "vault" in commands:
        assert candidates("vault", "") == [] and candidates("vault", "FILE", "re") == ["remove", "rename", "rekey"]
        assert "--show" in candidates("vault", "FILE", "get", "--") and candidates("vault", "list", "g") == ["get"]
    assert "complete" not in commands and candidates("nothing", "") == []


def test_bash_completes_commands_and_options():
    script = os.path.join(root, "tools/completions/lockfast.bash")
    for words, expected in ((["lockfast", "do"], "doctor"), (["lockfast", "doctor", "--js"], "--json")):
        quoted = " ".join(words)
        shell = (f"source '{script}'; PATH={os.path.dirname(command)}:$PATH; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
                 "_lockfast; printf '%s\\n' \"${COMPREPLY[@]}\"")
        ended = subprocess.run(["bash", "--norc", "-c", shell], stdout=subprocess.PIPE, text=True, timeout=60)
        assert ended.stdout.split() == [expected], ended


def test_zsh_and_fish_read_their_completions():
    for shell, file in (("zsh", "_lockfast"), ("fish", "lockfast.fish")):
        if shutil.which(shell) is None:
            print(f"  {shell} is not there: left out")
            continue
        assert subprocess.run([shell, "-n", os.path.join(root, "tools/completions", file)], timeout=60).returncode == 0


def test_fish_completes_commands_and_options():
    if shutil.which("fish") is None:
        print("  fish is not there: left out")
        return
    script = os.path.join(root, "tools/completions/lockfast.fish")
    lines = [("lockfast do", "doctor"), ("lockfast doctor --js", "--json"), ("lockfast run -- cksu", "cksum")]
    if "vault" in commands:
        lines += [("lockfast vault FILE verif", "verify"), ("lockfast vault FILE run a=B -- cksu", "cksum")]
    for line, expected in lines:
        ended = subprocess.run(["fish", "--no-config", "-c", f"source '{script}'; complete -C '{line}'"], stdout=subprocess.PIPE,
                               text=True, timeout=60, cwd=root,
                               env=dict(os.environ, PATH=os.path.dirname(command) + ":" + os.environ["PATH"]))
        assert [one.split("\t")[0] for one in ended.stdout.splitlines()] == [expected], (line, ended)


run_tests(globals())
