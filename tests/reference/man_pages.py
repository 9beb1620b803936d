"""The man pages: without a warning, one for each function that the headers declare, and none refers to one that is not there.

man_pages.py FOLDER HEADERS [MANDOC]
"""
import glob
import os
import re
import shutil
import subprocess
import sys

folder, headers, *mandoc = sys.argv[1:]
faults = []
pages = {os.path.basename(path): open(path, encoding="ascii").read() for path in glob.glob(os.path.join(folder, "man?", "*"))}

declared = set()
for name in ("lockfast.h", "sodium.h", "gcrypt.h"):
    with open(os.path.join(headers, name), encoding="utf-8") as file:
        declared |= set(re.findall(r"^LOCKFAST_API [^;(]*?\b([a-z_0-9]+)\(", file.read(), re.M))
assert len(declared) > 30, declared
faults += [f"{name}: no page of section 3" for name in declared if name + ".3" not in pages]
faults += [f"{page}: of no function" for page in pages if page.endswith(".3") and page[:-2] not in declared]
faults += [f"{page}: is not there" for page in ("lockfast.1", "lockfast-served.1", "lockfast.7",
                                                          "lockfast_options.7") if page not in pages]

lints = [[*mandoc, "-T", "lint"]] if mandoc else []
if shutil.which("man"):
    lints.append(["man", "--warnings", "-l"])
if not lints:
    print("left out: neither mandoc nor man is there")
for page, text in sorted(pages.items()):
    target = re.fullmatch(r"\.so (man\d)/(\S+)\n", text)
    if target:
        if target[2] not in pages or target[2][-1] != target[1][-1]:
            faults.append(f"{page}: {text.strip()}: is not there")
        elif not re.search(rf"^\.SS {re.escape(page[:-2])}\(\)$", pages[target[2]], re.M):
            faults.append(f"{page}: {target[2]} does not describe it")
        continue
    for name, section in re.findall(r"^\.BR (\S+) \((\d)\)", text, re.M) + re.findall(r"\\fB(lockfast\S*?)\\fP\((\d)\)", text):
        if f"{name.replace(chr(92), '')}.{section}" not in pages:
            faults.append(f"{page}: refers to {name}({section}), which is not there")
    path = os.path.join(folder, "man" + page[-1], page)
    for lint in lints:
        said = subprocess.run([*lint, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, MANWIDTH="100", LC_ALL="C.UTF-8"))
        complaints = said.stdout + said.stderr if "lint" in lint else said.stderr
        if said.returncode != 0 or complaints.strip():
            faults.append(f"{page}: {' '.join(lint)}: {complaints.strip()}")
        if "lint" not in lint and len(said.stdout) < 400:
            faults.append(f"{page}: is empty")

print("\n".join(faults) or f"{len(pages)} pages")
sys.exit(bool(faults))
