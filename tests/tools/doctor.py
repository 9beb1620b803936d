"""`lockfast doctor`: what it finds here, and what it says of other machines, whose files are made up."""
import json
import os
import subprocess
import tempfile

from suite import at_terminal, for_everybody, lockfast, refused, run_tests

tried = ("lock hidden guard key seal fork dump merge peer isolated_locked grouped_locked isolated_hidden grouped_hidden").split()
good_files = {
    "proc/sys/kernel/osrelease": "6.18.0",
    "proc/cmdline": "quiet",
    "proc/self/limits": "Max locked memory         67108864             67108864             bytes\n"
                        "Max core file size        0                    unlimited            bytes\n",
    "proc/self/status": "Name:\tx\nCapEff:\t0000000000000000\nVmLck:\t       0 kB\nSeccomp:\t0\n",
    "proc/self/uid_map": "         0          0 4294967295\n",
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-1.scope\n",
    "proc/swaps": "Filename Type Size Used Priority\n",
    "proc/sys/vm/max_map_count": "1048576",
    "proc/sys/vm/overcommit_memory": "0",
    "proc/sys/vm/compact_unevictable_allowed": "0",
    "proc/sys/kernel/core_pattern": "core",
    "proc/sys/kernel/yama/ptrace_scope": "1",
    "sys/kernel/mm/ksm/run": "0",
    "sys/power/state": "freeze mem",
}


def worked(**more):
    return dict({"signal": 0, "step": 0, "errno": 0, "value": 0, "more": False}, **more)


def machine(files=(), trials=(), without=()):
    """The findings and the status of a good machine, but for these files and trials."""
    root = tempfile.mkdtemp()
    every = dict(good_files, **dict(files))
    every["trials.json"] = json.dumps(dict({name: worked() for name in tried}, **dict(trials)))
    for name, text in every.items():
        if name in without:
            continue
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    ended = lockfast("doctor", "--json", "--root", root)
    assert ended.stderr == "", ended
    whole = json.loads(ended.stdout)
    assert whole["status"] == ended.returncode
    return {one["name"]: one for one in whole["findings"]}, ended.returncode


def only(name, verdict, files=(), trials=(), without=()):
    """Exactly one finding is not good: this one. Returns it."""
    found, status = machine(files, trials, without)
    others = {one["name"]: one["verdict"] for one in found.values() if one["verdict"] != "good"}
    assert others == {name: verdict}, others
    assert status == (2 if verdict == "could not look" else 1)
    return found[name]


def test_a_good_machine_is_good():
    found, status = machine()
    assert status == 0 and len(found) == 16, [one for one in found.values() if one["verdict"] != "good"]


def test_a_low_lock_limit_is_mended_where_the_process_lives():
    low = {"proc/self/limits": good_files["proc/self/limits"].replace("67108864", "65536   ")}
    assert "limits.d" in only("lock_limit", "weak", low)["mend"]
    low["proc/self/cgroup"] = "0::/system.slice/keys.service\n"
    assert only("lock_limit", "weak", low)["mend"].startswith("LimitMEMLOCK=")
    low["proc/self/cgroup"] = "0::/system.slice/docker-0123.scope\n"
    assert "docker run --ulimit memlock=" in only("lock_limit", "weak", low)["mend"]
    low["proc/self/status"] = good_files["proc/self/status"].replace("CapEff:\t0000000000000000", "CapEff:\t0000000000004000")
    assert machine(low)[0]["lock_limit"]["verdict"] == "good"
    low["proc/self/uid_map"] = "0 1000 1"  # the right counts in a user namespace of one's own for nothing
    assert machine(low)[0]["lock_limit"]["verdict"] == "weak"


def test_locks_that_are_not_real():
    assert "emulator" in only("locks", "missing", trials={"lock": worked(step=3)})["means"]


def hidden(error=38, step=1, sig=0, **files):
    return only("hidden", "weak" if step > 2 else "missing", {name.replace("__", "/"): text for name, text in files.items()},
                {"hidden": worked(step=step, errno=error, signal=sig)})


def test_why_memory_cannot_be_hidden():
    assert "older than 5.14" in hidden(**{"proc/sys/kernel/osrelease": "5.10.0-30-amd64"})["saw"]
    assert "secretmem.enable=1" in hidden(**{"proc/sys/kernel/osrelease": "6.1.0-31-amd64"})["mend"]
    for release in ("", "custom", "6", "6.", "6.x", "99999999999999999999.1"):
        assert "is no version" in hidden(**{"proc/sys/kernel/osrelease": release})["saw"]
    assert "switched off" in hidden(**{"proc/cmdline": "quiet secretmem.enable=0"})["saw"]
    assert "a filter" in hidden(error=1)["saw"]
    assert "killed by Bad system call" in hidden(error=0, step=0, sig=31)["saw"]
    assert "budget" in hidden(error=11, step=3)["saw"]
    assert "CONFIG_SECRETMEM" in hidden()["mend"]


def test_what_is_tried_and_refused():
    assert "6.13" in only("guards", "missing", trials={"guard": worked(step=1, errno=22)})["mend"]
    only("protection_keys", "missing", trials={"key": worked(step=1, errno=28)})
    only("mseal", "missing", trials={"seal": worked(step=1, errno=38)})
    assert "emulator" in only("fork", "missing", trials={"fork": worked(step=3)})["saw"]
    only("core_dumps", "missing", trials={"dump": worked(step=1, errno=22)})


def test_swap_is_good_where_it_is_encrypted():
    def swap(line, files=()):
        return dict({"proc/swaps": good_files["proc/swaps"] + line + "\n"}, **dict(files))
    plain = only("swap", "weak", swap("/dev/sda2 partition 100 0 -2", {"sys/class/block/sda2/size": "1"}))
    assert "/dev/sda2" in plain["saw"] and "crypttab" in plain["mend"]
    assert machine(swap("/dev/dm-1 partition 100 0 -2", {"sys/class/block/dm-1/dm/uuid": "CRYPT-LUKS2-0-swap"}))[1] == 0
    # A logical volume on an encrypted disk, and one that lies on a plain disk too.
    volume = {"sys/class/block/dm-1/dm/uuid": "LVM-x", "sys/class/block/dm-1/slaves/dm-0/size": "1",
              "sys/class/block/dm-0/dm/uuid": "CRYPT-LUKS2-0-disk"}
    assert machine(swap("/dev/dm-1 partition 100 0 -2", volume))[1] == 0
    volume["sys/class/block/dm-1/slaves/sdb/size"] = volume["sys/class/block/sdb/size"] = "1"
    only("swap", "weak", swap("/dev/dm-1 partition 100 0 -2", volume))
    assert machine(swap("/dev/zram0 partition 100 0 -2", {"sys/class/block/zram0/backing_dev": "none"}))[1] == 0
    only("swap", "weak", swap("/dev/zram0 partition 100 0 -2", {"sys/class/block/zram0/backing_dev": "/dev/sda3"}))
    only("swap", "could not look", swap("/swapfile file 100 0 -2"))


def test_what_the_system_is_set_to():
    only("hibernation", "weak", {"sys/power/state": "freeze mem disk", "sys/power/disk": "[platform] shutdown"})
    assert machine({"sys/power/state": "freeze mem disk", "sys/power/disk": "[disabled]"})[1] == 0
    only("overcommit", "weak", {"proc/sys/vm/overcommit_memory": "1"})
    only("map_limit", "weak", {"proc/sys/vm/max_map_count": "65529"})
    only("core_dumps", "weak", {"proc/sys/kernel/core_pattern": "|/usr/lib/systemd/systemd-coredump %P"})
    only("core_dumps", "weak", {"proc/self/limits": good_files["proc/self/limits"].replace("size        0", "size        unlimited")})
    only("ptrace_scope", "weak", {"proc/sys/kernel/yama/ptrace_scope": "0"}, {"peer": worked(value=1)})
    assert machine({"sys/kernel/mm/ksm/run": "1"})[1] == 0
    only("ksm", "weak", {"sys/kernel/mm/ksm/run": "1"}, {"merge": worked(value=1)})


def test_a_locked_page_that_may_be_moved():
    moves = {"proc/sys/vm/compact_unevictable_allowed": "1"}
    assert "hidden pages are not moved" in machine(moves)[0]["compaction"]["saw"] and machine(moves)[1] == 0
    found, status = machine(moves, {"hidden": worked(step=1, errno=38)})
    assert found["compaction"]["verdict"] == "weak" and "compact_unevictable_allowed=0" in found["compaction"]["mend"]
    assert status == 1
    assert "does not compact" in machine(without=("proc/sys/vm/compact_unevictable_allowed",))[0]["compaction"]["saw"]


def test_a_memory_limit_below_the_lock_limit():
    group = "sys/fs/cgroup/user.slice/"
    assert "killed" in only("container", "weak", {group + "memory.max": "33554432"})["means"]
    assert machine({group + "memory.max": "1073741824"})[1] == 0


def test_what_cannot_be_looked_at_is_not_good():
    only("swap", "could not look", without=("proc/swaps",))
    only("overcommit", "could not look", without=("proc/sys/vm/overcommit_memory",))
    found, status = machine(without=("trials.json",))
    assert {one["name"] for one in found.values() if one["verdict"] == "could not look"} >= {"locks", "hidden", "guards", "mseal"}
    assert status == 2


def test_bad_input():
    assert "no folder proc" in refused("doctor", "--root", "/nowhere")
    root = tempfile.mkdtemp()
    os.mkdir(os.path.join(root, "proc"))
    with open(os.path.join(root, "trials.json"), "w") as file:
        file.write("[1, {")
    assert "trials" in refused("doctor", "--root", root)
    os.remove(os.path.join(root, "trials.json"))
    os.mkdir(os.path.join(root, "trials.json"))
    assert "trials.json is no list of trials; give what" in refused("doctor", "--root", root)
    os.rmdir(os.path.join(root, "trials.json"))
    os.mkfifo(os.path.join(root, "trials.json"))
    assert "trials.json is no list of trials; give what" in refused("doctor", "--root", root)


def test_what_is_no_file_is_not_waited_for():
    root = tempfile.mkdtemp()
    os.mkdir(os.path.join(root, "proc"))
    os.mkfifo(os.path.join(root, "proc/swaps"))
    assert lockfast("doctor", "--root", root).returncode == 2


def test_each_thing_is_tried_here():
    ended = lockfast("doctor", "--json")
    whole = json.loads(ended.stdout)
    assert ended.returncode == whole["status"] and ended.returncode in (0, 1, 2)
    assert set(whole["trials"]) >= set(tried) - {"isolated_hidden"} and len(whole["findings"]) == 16
    for one in whole["findings"]:
        assert one["saw"] and one["means"], one


def test_the_lock_limit_is_the_real_one():
    pages = 16
    size = os.sysconf("SC_PAGE_SIZE")
    drop = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"] if os.geteuid() == 0 else []
    limit = ["prlimit", f"--memlock={pages * size}:{pages * size}"]
    copied, environment = for_everybody()
    ended = subprocess.run([*drop, *limit, copied, "doctor", "--json"], stdout=subprocess.PIPE, text=True, timeout=120,
                           env=dict(environment, LOCKFAST_OPTIONS="nonsense"))
    trials = json.loads(ended.stdout)["trials"]
    assert 0 < trials["isolated_locked"]["value"] <= pages and not trials["isolated_locked"]["more"], trials
    assert trials["isolated_locked"]["value"] < trials["grouped_locked"]["value"] <= pages * size // 48, trials


def test_colours_are_for_a_terminal():
    assert "\x1b[" in at_terminal("doctor")[0]
    assert "\x1b[" not in at_terminal("doctor", NO_COLOR="1")[0]
    assert "\x1b[" not in lockfast("doctor").stdout


run_tests(globals())
