#!/usr/bin/env python3
"""suites.py FOLDER - reads `ctest --show-only=json-v1` and writes each test as a line for init, without an emulator's name."""
import json
import shlex
import sys

folder = sys.argv[1]
slower = 10  # an emulated processor, beside this machine's own
longest = 600  # seconds that a suite may take on this machine

for test in json.load(sys.stdin)["tests"]:
    properties = {each["name"]: each["value"] for each in test["properties"]}
    command = test["command"]
    while not command[0].startswith(folder):
        command = command[1:]
    environment = [each for each in properties["ENVIRONMENT"] if not each.startswith("LOCKFAST_TEST_EMULATOR=")]
    words = [test["name"], str(longest * slower), *environment, *command]
    print("suite", shlex.join(words))
