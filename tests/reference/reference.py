"""Doxygen reads the public headers without a warning, and finds every function and class in them.

reference.py DOXYGEN DOXYFILE FOLDER HEADERS
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

doxygen, settings, folder, headers = sys.argv[1:]
shutil.rmtree(folder, ignore_errors=True)
os.makedirs(folder)
ended = subprocess.run([doxygen, settings], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(ended.stdout)
faults = [f"doxygen ended with {ended.returncode}"] if ended.returncode != 0 else []
if ended.stdout.strip():
    faults.append("doxygen warned")

functions, classes = set(), set()
for path in glob.glob(os.path.join(headers, "**", "*.h*"), recursive=True):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if os.path.basename(path) not in ("cell.hpp", "expected.hpp", "standard_library.hpp", "string_storage.hpp"):
        functions |= set(re.findall(r"^LOCKFAST_API [^;(]*?\b([a-z_0-9]+)\(", text, re.M))
        classes |= {"lockfast::" + name for name in re.findall(r"^class (?:LOCKFAST_API )?([a-z_:]+)(?: final)?(?: :[^:;]*)? \{", text, re.M)}
classes.discard("lockfast::vault::lock_use")  # private
assert len(functions) > 30 and len(classes) > 15, (functions, classes)
found = xml.etree.ElementTree.parse(os.path.join(folder, "lockfast.tag")).getroot()
pages = {one.findtext("name") for one in found.findall("compound[@kind='class']")}
grouped = {member.findtext("name") for group in found.findall("compound[@kind='group']") for member in group.findall("member")}
faults += [f"{name}: in no group" for name in sorted(functions - grouped)]
faults += [f"{name}: has no page" for name in sorted(classes - pages)]
print("\n".join(faults) or f"{len(functions)} functions, {len(classes)} classes")
sys.exit(bool(faults))
