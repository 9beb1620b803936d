"""Reads the reports of report_subject: report.py PROGRAM."""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile

program = sys.argv[1]
pattern = b"qZ7#vT1!mK9$wR3%xL5^bN8&cJ2*dH6("
scratch = tempfile.mkdtemp()


def run(deed, options, **more):
    environment = dict(os.environ, LOCKFAST_OPTIONS=options)
    return subprocess.run([program, deed], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, **more)


def lines_of(text):
    return [json.loads(line) for line in text.splitlines()]


def one(lines, kind):
    found = [line for line in lines if line["line"] == kind]
    assert len(found) == 1, (kind, found)
    return found[0]


def report_of(deed, options="", status=7):
    path = os.path.join(scratch, "report")
    if os.path.exists(path):
        os.remove(path)
    ended = run(deed, f"report={path}," + options)
    assert ended.returncode == status, (deed, ended)
    assert os.stat(path).st_mode & 0o777 == 0o600
    with open(path, "rb") as file:
        return file.read()


def states(lines, kind):
    counts = {}
    for line in lines:
        if line["line"] == kind:
            for state, count in line["states"]:
                counts[state] = counts.get(state, 0) + count
    return counts


def test_exit_has_the_totals_and_no_map():
    lines = lines_of(report_of("exit"))
    assert lines[0]["line"] == "machine" and lines[0]["reason"] == "exit"
    assert lines[0]["page_size"] == os.sysconf("SC_PAGE_SIZE")
    totals = one(lines, "totals")
    assert (totals["allocations"], totals["frees"], totals["live"]) == (4, 2, 2), totals
    assert (totals["live_isolated"], totals["live_grouped"], totals["bytes_live"]) == (1, 1, 64)
    assert (totals["max_live_isolated"], totals["max_live_grouped"]) == (1, 3)
    opened = one(lines, "opened")
    assert opened["hidden"] + opened["locked"] == 2 and opened["unlocked"] == 0
    native, drop_in = [line for line in lines if line["line"] == "policy"]
    assert native["used"] and native["lock"] == "required" and native["placement"] == "grouped"
    assert not drop_in["used"]
    assert not [line for line in lines if line["line"] in ("region", "slab")]


def test_the_policy_has_every_option():
    chosen = {"lock": "preferred", "hidden": "off", "fork": "wipe", "freed": "recycle", "rest": "keep", "crash": "wipe",
              "notice": "stderr", "quarantine": "hold", "idle": "few"}
    lines = lines_of(report_of("exit", ",".join(f"{key}={value}" for key, value in chosen.items())))
    native = next(line for line in lines if line["line"] == "policy")
    assert {key: native[key] for key in chosen} == chosen, native


def test_what_is_not_in_force_comes_with_its_errno():
    lines = lines_of(report_of("exit", "hidden=off"))
    reasons = {(line["protection"], line["errno"]): line["runs"] for line in lines if line["line"] == "not_in_force"}
    assert reasons == {("hide", 125): 2}, reasons
    assert one(lines, "opened")["hidden"] == 0


def test_a_breach_writes_one():
    lines = lines_of(report_of("breach", status=-signal.SIGABRT))
    assert lines[0]["reason"] == "breach"
    assert one(lines, "breach")["message"].startswith("lockfast: broken canary")
    assert one(lines, "totals")["allocations"] == 4


def test_a_breach_after_a_breach_writes_no_second_one():
    lines = lines_of(report_of("again", status=-signal.SIGABRT))
    assert one(lines, "machine")["reason"] == "breach"


def test_a_program_that_never_calls_says_so():
    lines = lines_of(report_of("none"))
    assert one(lines, "totals")["allocations"] == 0
    assert not any(line["used"] for line in lines if line["line"] == "policy")


def test_a_program_that_empties_its_environment_reports():
    lines = lines_of(report_of("emptied", "report_map=on,report_addresses=on"))
    assert lines[0]["reason"] == "exit" and one(lines, "totals")["allocations"] == 0


def test_memory_of_the_programs_own_is_counted():
    totals = one(lines_of(report_of("claim")), "totals")
    assert (totals["claims"], totals["claims_refused"], totals["allocations"]) == (2, 1, 0), totals
    totals = one(lines_of(report_of("none")), "totals")
    assert (totals["claims"], totals["claims_refused"]) == (0, 0), totals


def test_none_is_no_file():
    ended = run("exit", "report=none", cwd=scratch)
    assert ended.returncode == 7 and ended.stderr == b"" and "none" not in os.listdir(scratch), ended


def test_the_map_agrees_with_the_totals():
    lines = lines_of(report_of("exit", "report_map=on"))
    assert states(lines, "slab")["live"] == 1
    live = {state: count for state, count in states([line for line in lines if line.get("kind") == "isolated"],
                                                    "region").items() if state in ("hidden", "locked")}
    assert sum(live.values()) == 1, live
    for region in lines:
        if region["line"] == "region":
            assert sum(count for _, count in region["states"]) == region["places"]
            assert region["guards"] == region["places"] + 1


def test_a_sealed_secret_is_counted_and_drawn():
    lines = lines_of(report_of("closed", "rest=seal,report_map=on"))
    totals = one(lines, "totals")
    assert (totals["live_sealed"], totals["bytes_sealed"]) == (1, 32), totals
    assert states(lines, "region")["sealed"] == 1


def test_addresses_only_where_asked_for():
    assert b"0x" not in report_of("exit", "report_map=on")
    assert re.search(rb'"address":"0x[0-9a-f]+"', report_of("exit", "report_map=on,report_addresses=on"))


def has_secret(text):
    return any(pattern[at:at + 4] in text for at in range(len(pattern) - 3))


def test_no_byte_of_a_secret():
    for deed, status in (("exit", 7), ("breach", -signal.SIGABRT), ("fork", 7)):
        assert not has_secret(report_of(deed, "report_map=on,report_addresses=on", status))
    # The control: the same search finds the secret where it is written.
    assert has_secret(run("leak", "report=stderr,report_map=on").stderr)


def test_a_forked_child_reports_too():
    lines = lines_of(report_of("fork"))
    assert len({line["process"] for line in lines if line["line"] == "machine"}) == 2


def test_a_call_and_a_descriptor():
    ended = run("call", "report=1")
    assert ended.returncode == 7, ended
    assert [line["reason"] for line in lines_of(ended.stdout) if line["line"] == "machine"] == ["call", "exit"]


def test_a_signal_handler_may_ask():
    ended = run("handler", "report_map=on,freed=recycle")
    assert ended.returncode == 7, ended.stderr
    machines = [line for line in lines_of(ended.stdout) if line["line"] == "machine"]
    assert len(machines) >= 50


def test_what_cannot_be_written_is_harmless():
    for where in ("1000", "/dev/full", "/nowhere/report", scratch):
        assert run("exit", f"report={where}").returncode == 7, where
        assert run("breach", f"report={where}").returncode == -signal.SIGABRT, where
    ended = run("exit", "report=1", preexec_fn=lambda: os.close(1))
    assert ended.returncode == 7
    # A pipe that nobody reads, of which most programs die.
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([program, "exit"], env=dict(os.environ, LOCKFAST_OPTIONS="report=1"), stdout=writer, timeout=120)
    os.close(writer)
    assert ended.returncode == 7, ended


def test_a_bad_destination_is_named():
    for options in ("report=", "report", "report=" + "x" * 1024, "report_map=yes"):
        ended = run("exit", options)
        assert ended.returncode == -signal.SIGABRT and b"bad options" in ended.stderr, (options[:20], ended)
    assert b"values of report: none, stderr, FD, PATH" in run("exit", "report=").stderr


for name, test in list(globals().items()):
    if name.startswith("test_"):
        print(name.removeprefix("test_").replace("_", " "), flush=True)
        test()
