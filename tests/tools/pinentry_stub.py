#!/usr/bin/env python3
"""A pinentry that asks nobody. Its answers, one a line, are in the file PINENTRY_ANSWERS; each GETPIN takes one:

   TEXT             is the passphrase, sent as the protocol wants: percent-escaped, over several D lines
   !CODE            is an error of this number
   empty            is one of no bytes
   wait             is none: it makes a file, and waits until its input ends
   =TEXT            is the passphrase as it is, in one D line
   ?lines, ?line, ?remarks   are more than anybody types
   (nothing left)   ends without an answer
"repeat" as the first line: SETREPEAT is known. What was said goes to PINENTRY_LOG, after the process's number and its descriptors.
PINENTRY_KIND: silent, deaf and busy ones do not greet, do not answer, and do not look whether their input has ended."""
import os
import sys
import time

with open(os.environ["PINENTRY_ANSWERS"]) as file:
    answers = file.read().splitlines()
repeats = answers[:1] == ["repeat"]
if repeats:
    answers.pop(0)
taken = 0


def say(line):
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:  # the command has heard enough, and gone
        os._exit(0)


kind = os.environ.get("PINENTRY_KIND", "")
with open(os.environ["PINENTRY_LOG"], "a") as log:
    with os.scandir("/proc/self/fd") as found:
        own = {log.fileno(), *(int(each.name) for each in found if "/proc/" in os.readlink(each.path))}
        opened = sorted(int(each) for each in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{each}"))
    log.write(f"# {os.getpid()}\n# {' '.join(str(each) for each in opened if each not in own)}\n")
    log.flush()
    if kind == "silent":
        time.sleep(60)
    say("OK Pleased to meet you")
    if kind == "deaf":
        time.sleep(60)
    for line in sys.stdin:
        log.write(line)
        log.flush()
        word = line.split()[0]
        if word == "SETREPEAT" and not repeats:
            say("ERR 536871187 Unknown IPC command")
        elif word == "OPTION" and "lc-ctype" in line:
            say("ERR 83886254 Unknown option")
        elif word != "GETPIN":
            say("OK")
        else:
            with open(os.environ["PINENTRY_ANSWERS"] + ".taken", "a+") as file:
                file.seek(0)
                taken = len(file.read())
                file.write(".")
            if taken >= len(answers):
                sys.exit(0)
            answer = answers[taken]
            if answer.startswith("!"):
                say(f"ERR {answer[1:]} it refused <Pinentry>")
                continue
            say("# a remark")
            if repeats:
                say("S PIN_REPEATED")
            if answer == "wait":
                with open(os.environ["PINENTRY_ANSWERS"] + ".waits", "w") as file:
                    file.write(str(os.getpid()))
                if kind == "busy":
                    time.sleep(60)
                sys.stdin.read()
                sys.exit(0)
            if answer == "empty":
                say("OK")
                continue
            if answer.startswith("?"):
                many = {"?lines": ["D " + "x" * 900] * 5, "?line": ["D " + "x" * 5000], "?remarks": ["# a remark"] * 2000}
                for line in many[answer]:
                    say(line)
                say("OK")
                continue
            if answer.startswith("="):
                say("D " + answer[1:])
                say("OK")
                continue
            half = len(answer) // 2
            for part in (answer[:half], answer[half:]):
                say("D " + part.replace("%", "%25").replace("\\n", "%0A"))
            say("OK")
