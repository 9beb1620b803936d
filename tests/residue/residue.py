#!/usr/bin/env python3
"""residue.py FOLDER PROGRAMS KERNEL INITRAMFS - what a machine's RAM, swap and disk have of secrets, through their lives and after.

Boots the machine, leads processes (holder.cc) through the phases below, searches the machine's files after each, and compares what
is found with what is expected (expected.py). FOLDER gets log, all that the machine wrote; findings.json; table.md. What differs and a
line of counts go to standard error. The status is 1 when something is not as expected, or when an expectation that was turned round
is met.
"""
import json
import pathlib
import signal
import sys
import tempfile
import time

from expected import HOLDERS, expectations, judge, numbers, table
from machine import Machine, MachineError

CGROUP = "/sys/fs/cgroup/holders"  # of the processes that hold secrets


class Run:
    def __init__(self, machine, programs, seed):
        self.machine, self.programs, self.seed = machine, programs, seed
        self.found = {}
        self.begun = time.monotonic()

    def scan(self, column):
        for (file, number, kind), finding in self.machine.scan().items():
            self.found[column, number, kind, file] = finding
        print(f"{time.monotonic() - self.begun:6.0f} s: {column}", file=sys.stderr, flush=True)

    def start(self, which):
        for number in which:
            holder = HOLDERS[number]
            self.machine.do(f"mkfifo /run/{number}.in /run/{number}.out; mkdir -m 777 /disk/{number}; chmod 666 /run/{number}.*")
            self.machine.do(f"(echo 0 >{CGROUP}/cgroup.procs; ulimit -l {holder.lock_limit}; export LOCKFAST_OPTIONS={holder.options}; "
                            f"exec {self.programs}/residue_holder as 1000 hold {self.seed} {number} /disk/{number} {'ordinary' * holder.ordinary} "
                            f"<>/run/{number}.in 1<>/run/{number}.out 2>/run/{number}.err) & pid_{number}=$!")

    def say(self, which, word):
        for number in which:
            holder = HOLDERS[number]
            answer = self.machine.do(f"echo {word} >/run/{number}.in; timeout 100 head -n 1 /run/{number}.out", 200)[-1:]
            wanted = {"open": f"{holder.backing} open", "fork": "forked", "child": "ended", "free": "freed"}.get(word)
            if word == "close":
                wanted = f"{holder.backing} {'sealed' if holder.seals else 'closed'}"
            if holder.ordinary and word in ("open", "close"):
                wanted = "ordinary"
            if answer != [wanted]:
                errors = self.machine.do(f"cat /run/{number}.err")
                raise MachineError(f"{holder} said {answer} to '{word}', not '{wanted}': {errors}")

    def end(self, which):
        for number in which:
            self.machine.do(f"echo {HOLDERS[number].end} >/run/{number}.in; wait $pid_{number}; true")

    def press(self):
        """A balloon, and then the kernel is told to reclaim all that it can from the processes that hold secrets."""
        self.machine.do(f"(echo 1000 >/proc/self/oom_score_adj; exec {self.programs}/residue_press 64)", 300)
        self.machine.do(f"echo 512M >{CGROUP}/memory.reclaim || true", 300)

    def prepare(self):
        for line in ("mkdir /disk /run", "mount -t ext4 $disk /disk", "chmod 1777 /disk", "mkswap $swap", "swapon $swap",
                     "mount -t cgroup2 none /sys/fs/cgroup", "echo +memory >/sys/fs/cgroup/cgroup.subtree_control", f"mkdir {CGROUP}",
                     "ulimit -c unlimited", "echo '/disk/core.%p' >/proc/sys/kernel/core_pattern", "echo 100 >/proc/sys/vm/swappiness",
                     "echo 0 >/proc/sys/vm/compact_unevictable_allowed"):  # locked pages stay where they are
            self.machine.do(line)

    def live(self):
        lives, forks = numbers("lives"), numbers("forks")
        self.start(lives + forks)
        self.say(lives + forks, "open")
        self.scan("in use")
        self.say(forks, "fork")
        self.scan("with a child")
        self.press()
        self.scan("under pressure")
        self.say(forks, "child")
        self.scan("after the child")
        self.say(lives + forks, "close")
        self.press()
        self.scan("at rest")
        self.say(lives + forks, "free")
        self.scan("freed")
        self.end(lives + forks)

    def die(self):
        ends = numbers("ends")
        self.start(ends)
        self.say(ends, "open")
        self.say([number for number in ends if HOLDERS[number].seals], "close")
        self.end([number for number in ends if HOLDERS[number].end == "crash"])
        self.end([number for number in ends if HOLDERS[number].end == "exit"])
        self.scan("ended")

    def hibernate(self):
        """Refused while memory is hidden; then done."""
        hibernate, forbid = numbers("hibernates"), numbers("forbids")
        for each in hibernate, forbid:
            self.start(each)
            self.say(each, "open")
            self.say(each, "close")
        self.machine.do("echo 1 >/proc/sys/vm/compact_memory")
        self.scan("compacted")
        self.machine.do("echo 1 >/proc/sys/vm/compact_unevictable_allowed; echo 1 >/proc/sys/vm/compact_memory")  # the default
        self.scan("moved")
        self.machine.do("grep disabled /sys/power/disk")
        self.machine.do("echo disk >/sys/power/state", fails=True)
        self.end(forbid)
        self.machine.do("echo shutdown >/sys/power/disk")
        self.machine.tell("echo disk >/sys/power/state")
        self.machine.await_end(120)
        self.scan("hibernated")
        self.machine.boot()
        self.machine.await_line(":: did 0", 120)
        self.say(hibernate, "open")
        self.scan("resumed")


def main():
    folder, programs, kernel, initramfs = sys.argv[1:]
    folder = pathlib.Path(folder)
    seed = time.time_ns()
    shared_memory = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="lockfast-residue-", dir=shared_memory if shared_memory.is_dir() else folder) as files:
        machine = Machine(files, folder / "log", kernel, initramfs, seed=seed, holders=len(HOLDERS), scan=f"{programs}/residue_scan")
        run = Run(machine, programs, seed)
        with machine:
            print(*machine.do("uname -srv"), file=sys.stderr)
            run.prepare()
            run.live()
            run.die()
            run.hibernate()
    with open(folder / "findings.json", "w", encoding="utf-8") as file:
        json.dump([[*key, *value] for key, value in sorted(run.found.items())], file, indent=0)
    expected = list(expectations())
    wrong, judged, unnoticed = judge(run.found, expected)
    (folder / "table.md").write_text("\n".join(table(run.found, expected)) + "\n", encoding="utf-8")
    for line in wrong:
        print(line, file=sys.stderr)
    print(f"{judged} expectations, {len(wrong)} not met, {unnoticed} met when turned round", file=sys.stderr)
    return bool(wrong or unnoticed)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))  # so that the machine ends and its files go
    try:
        sys.exit(main())
    except MachineError as error:
        print(f"the machine failed: {error}", file=sys.stderr)
        sys.exit(2)
