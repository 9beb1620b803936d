"""`lockfast heist`: each attack falls on ordinary memory, and on nothing that docs/threat_model.md says is held."""
import ctypes
import json
import os
import re
import resource
import signal
import xml.etree.ElementTree as tree

from suite import at_terminal, lockfast, refused, run_tests, scratch

svg = "{http://www.w3.org/2000/svg}"
others = {"malloc", "libsodium"}
by_reading = {"sibling", "debugger", "root", "dump"}
within = {"touch", "fork", "after", "before", "over_read", "read_after_free", "write_after_free", "double_free"}
every = by_reading | within | {"puppet", "core", "swap", "residue"}
# What docs/threat_model.md calls not held, of open secrets; those that are not hidden fall to readers as well.
not_held = {"isolated_hidden": {"puppet"}, "isolated_locked": {"puppet"}, "grouped": {"puppet", "touch", "over_read"},
            "compartment": {"puppet", "over_read"}, "sealed": set()}


picture = os.path.join(scratch, "heist.svg")


def carried_out(options="", **more):
    environment = dict(os.environ, LOCKFAST_OPTIONS=options, **more.pop("environment", {}))
    ended = lockfast("heist", "--json", "--svg", picture, env=environment, **more)
    assert ended.stderr == "", ended
    whole = json.loads(ended.stdout)
    assert whole["status"] == ended.returncode
    whole["subjects"] = {one["name"]: one for one in whole["subjects"]}
    whole["attacks"] = {one["name"]: one for one in whole["attacks"]}
    assert set(whole["attacks"]) == every and set(whole["subjects"]) == others | set(not_held)
    return whole


def fallen(whole, who):
    return {name for name, one in whole["attacks"].items() if one["outcomes"][who]["result"] == "fell"}


# As from a shell or a service that ignores the ends of its children.
here = carried_out(preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
drawn = tree.parse(picture).getroot()
there = [name for name in not_held if not here["subjects"][name]["missing"]]


def test_each_attack_falls_on_ordinary_memory_or_says_why_it_failed():
    for name, one in here["attacks"].items():
        control = one["outcomes"]["malloc"]
        assert one["worked"] == (control["result"] == "fell")
        assert one["worked"] or name not in within | {"swap"}, (name, control)
        if not one["worked"]:
            print(f"  {name} failed here: {control['how']}")
            assert all(each["result"] == "not tried" and each["how"] for each in one["outcomes"].values()), one


def test_what_the_threat_model_says_is_held_is_held():
    for who in there:
        expected = set(not_held[who])
        if here["subjects"][who]["backing"] == "locked":
            expected |= by_reading
        expected &= {name for name, one in here["attacks"].items() if one["worked"]}
        assert fallen(here, who) == expected, (who, fallen(here, who) ^ expected)
    assert here["status"] == (1 if any(fallen(here, who) for who in there) else 2)


def test_a_breach_is_told_in_the_librarys_own_words():
    outcomes = here["attacks"]["double_free"]["outcomes"]
    assert "lockfast: double free" in [outcomes[who]["said"] for who in there][0], outcomes
    assert "broken canary" in here["attacks"]["before"]["outcomes"]["grouped"]["said"]


def test_a_child_that_may_inherit_has_a_copy_and_memory_that_is_not_hidden_is_read():
    whole = carried_out("fork=inherit,hidden=off,native_placement=isolated")
    for who in there:
        if who != "sealed":
            assert "fork" in fallen(whole, who) and "fork" not in fallen(here, who), who
    assert whole["subjects"]["grouped"]["backing"] == "locked"
    assert fallen(whole, "grouped") >= {name for name in by_reading if whole["attacks"][name]["worked"]}
    assert "over_read" in fallen(whole, "grouped")  # grouped, whatever the environment's placement
    assert not fallen(whole, "sealed") and whole["status"] == 1


def without_locks():
    keep_capabilities, ipc_lock = 24, 14
    ctypes.CDLL(None).prctl(keep_capabilities, ipc_lock, 0, 0, 0)  # out of the bounding set: root is bound by the limit too
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (0, 0))


def test_a_secret_that_could_not_be_locked_may_be_swapped():
    whole = carried_out("lock=preferred", preexec_fn=without_locks)
    assert whole["subjects"]["isolated_locked"]["backing"] == "unlocked", whole["subjects"]
    assert "swap" in fallen(whole, "isolated_locked") and "swap" not in fallen(here, "isolated_locked")


def test_what_cannot_be_had_is_not_tried_and_the_status_says_so():
    whole = carried_out("lock=off")
    assert "lock" in whole["subjects"]["grouped"]["missing"] and whole["status"] == 2
    assert whole["attacks"]["after"]["outcomes"]["malloc"]["result"] == "fell"


def test_an_attack_that_the_control_holds_proves_nothing():
    whole = carried_out(environment={"GLIBC_TUNABLES": "glibc.malloc.perturb=85:glibc.malloc.tcache_count=0"})
    for name in ("read_after_free", "residue"):
        one = whole["attacks"][name]
        assert not one["worked"] and all(each["result"] == "not tried" for each in one["outcomes"].values()), one
        assert "the attack itself failed" in one["outcomes"]["grouped"]["how"]


def test_without_libsodium_the_rest_is_tried():
    for version in ("23", "26"):
        open(os.path.join(scratch, "libsodium.so." + version), "w").close()
    whole = carried_out(environment={"LD_LIBRARY_PATH": scratch})
    assert "can be loaded" in whole["subjects"]["libsodium"]["missing"]
    assert {who: fallen(whole, who) for who in there} == {who: fallen(here, who) for who in there}


def test_the_table_fits_a_terminal_and_becomes_a_list_where_it_does_not():
    for columns, no_colour, wanted in ((80, "", "byte past end"), (60, "1", "  isolated locked")):
        output, _ = at_terminal("heist", columns=columns, NO_COLOR=no_colour)
        assert ("\x1b[32mheld" in output) == (not no_colour) == ("\x1b[" in output)
        plain = re.sub("\x1b\\[[0-9;]*m", "", output).split("\r\n")
        assert max(map(len, plain)) <= columns, (columns, max(plain, key=len))
        assert any(line.startswith(wanted) for line in plain), output


def test_the_picture_has_a_cell_for_each_outcome():
    cells = [one.get("class").split()[0] for one in drawn.iter(svg + "g")]
    told = [each["result"] for one in here["attacks"].values() for each in one["outcomes"].values()]
    assert [{"none": "not tried"}.get(one, one) for one in cells] == told
    assert "prefers-color-scheme: dark" in next(drawn.iter(svg + "style")).text


def test_bad_input():
    assert "--json" in refused("heist", "--jsn")
    assert "cannot be written" in refused("heist", "--svg", "/nowhere/heist.svg")


run_tests(globals())
