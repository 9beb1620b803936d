"""machine.py - an emulated machine whose RAM, swap and disk are files of this one, and a search of those files.

    with Machine(folder, log, kernel, initramfs, seed=..., holders=..., scan=...) as machine:
        machine.do("uname -r")           # a line for the machine's shell: what it printed; an error if its status is not 0
        found = machine.scan("open")     # {(file, process, type): Finding}

The machine stands still while it is searched.
"""
import json
import pathlib
import queue
import socket
import subprocess
import threading
import time
from typing import NamedTuple

RAM_SIZE = 256 << 20
SWAP_SIZE = 512 << 20
DISK_SIZE = 128 << 20
PROCESSOR = "max,cx16=off"  # as in scripts/test-kernels


class Finding(NamedTuple):
    whole: int  # patterns of which there is a copy
    copies: int
    pieces: int  # of 8 bytes, where no whole pattern is


NOTHING = Finding(0, 0, 0)


class MachineError(Exception):
    pass


class Machine:
    def __init__(self, folder, log, kernel, initramfs, *, seed, holders, scan):
        self.folder = pathlib.Path(folder)
        self.kernel, self.initramfs = kernel, initramfs
        self.search = [scan, str(seed), str(holders)]
        self.files = {name: self.folder / name for name in ("ram", "swap", "disk")}
        self.log = open(log, "w", encoding="utf-8")
        self.process = None

    def __enter__(self):
        for name, size in ("ram", RAM_SIZE), ("swap", SWAP_SIZE), ("disk", DISK_SIZE):
            with open(self.files[name], "wb") as file:
                file.truncate(size)
        subprocess.run(["mkfs.ext4", "-q", "-F", self.files["disk"]], check=True)
        self.boot()
        self.await_line(":: ready", 120)
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait()
        self.log.close()

    def boot(self):
        qmp = self.folder / "qmp"
        qmp.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(qmp))
        listening.listen(1)
        drives = []
        for name in "swap", "disk":
            drives += ["-drive", f"file={self.files[name]},format=raw,cache=unsafe,if=none,id={name}",
                       "-device", f"nvme,drive={name},serial={name}"]
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-accel", "tcg", "-cpu", PROCESSOR, "-smp", "1", "-m", f"{RAM_SIZE >> 20}M",
             "-object", f"memory-backend-file,id=ram,size={RAM_SIZE >> 20}M,mem-path={self.files['ram']},share=on",
             "-machine", "q35,memory-backend=ram", *drives, "-display", "none", "-monitor", "none", "-nic", "none", "-no-reboot",
             "-serial", "stdio", "-qmp", f"unix:{qmp}", "-kernel", self.kernel, "-initrd", self.initramfs, "-append",
             "console=ttyS0 panic=-1 loglevel=3 no_timer_check secretmem.enable=1 hibernate=nocompress"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log)
        listening.settimeout(60)
        self.qmp = listening.accept()[0].makefile("rw", encoding="utf-8")
        listening.close()
        self.qmp.readline()
        self.command("qmp_capabilities")
        self.lines = queue.Queue()
        threading.Thread(target=self.read_console, args=(self.process.stdout, self.lines), daemon=True).start()

    def read_console(self, console, lines):
        for line in console:
            text = line.decode(errors="replace").rstrip("\r\n")
            self.log.write(text + "\n")
            self.log.flush()
            lines.put(text)
        lines.put(None)

    def command(self, name):
        self.qmp.write(json.dumps({"execute": name}) + "\n")
        self.qmp.flush()
        while True:
            reply = json.loads(self.qmp.readline())
            if "error" in reply:
                raise MachineError(f"{name}: {reply['error']}")
            if "return" in reply:
                return

    def await_line(self, begin, seconds):
        """Returns the lines up to the first that begins so, and that one."""
        end = time.monotonic() + seconds
        before = []
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise MachineError(f"no line '{begin}' within {seconds} s") from None
            if line is None:
                raise MachineError(f"the machine ended before a line '{begin}'")
            if line.startswith(begin):
                return before, line
            before.append(line)

    def tell(self, line):
        self.log.write(f"> {line}\n")
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def do(self, line, seconds=120, fails=False):
        self.tell(line)
        before, last = self.await_line(":: did ", seconds)
        if (last != ":: did 0") != fails:
            raise MachineError(f"{line}: {last}: {' / '.join(before[-3:])}")
        return before

    def await_end(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise MachineError(f"the machine is on after {seconds} s") from None

    def scan(self, where=False):
        running = self.process.poll() is None
        if running:
            self.do("sync")
            self.command("stop")
        names = {str(path): name for name, path in self.files.items()}
        done = subprocess.run(self.search + ["--where"] * where + list(names), check=True, text=True, capture_output=True)
        if running:
            self.command("cont")
        self.log.write(done.stdout + done.stderr)
        found = {}
        for line in done.stdout.splitlines():
            path, holder, kind, whole, copies, pieces = line.split()
            found[names[path], int(holder), kind] = Finding(int(whole), int(copies), int(pieces))
        return found
