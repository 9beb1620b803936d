#!/usr/bin/env python3
"""search.py PROGRAM ARGUMENT...: runs an example, and searches its memory whenever it asks.

Each line of the program that ends in "?" is a question. Before it is answered, all memory of the process that is not locked is read
as a debugger would, and searched for every 16 bytes of the secrets that it was given. The answers come from the environment:
ANSWERS, one a line; one that begins with "!" is a secret that is searched for from then on, and one that begins with "~" first
waits as many seconds as it says. Those, and an argument that begins with "~", are multiplied on a busy machine. A variable of the program's environment is the control, which every search must find.
Leaves with 77 where memory cannot be read here.
"""
import os
import secrets
import subprocess
import sys
import tempfile
import time

PIECE = 16
CHUNK = 1 << 20


def unlocked_maps(pid):
    """(start, end) of each map that is not locked, and has anything in memory or in swap."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            first, *rest = line.split()
            if "-" in first and not first.endswith(":"):
                start, end = (int(each, 16) for each in first.split("-"))
                name, present = rest[-1], 0
            elif first in ("Rss:", "Swap:"):
                present += int(rest[0])
            elif first == "VmFlags:" and "lo" not in rest and present and name not in ("[vsyscall]", "[vvar]"):
                yield start, end


def found_in(pid, needles):
    """Which of the needles are in memory."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in unlocked_maps(pid):
            tail = b""
            for at in range(start, end, CHUNK):
                try:
                    memory.seek(at)
                    text = tail + memory.read(min(CHUNK, end - at))
                except (OSError, ValueError, OverflowError):
                    tail = b""
                    continue
                found.update(each for each in needles if each in text)
                tail = text[-PIECE:]
    return found


def pieces_of(secret):
    # Both ways round: libcrypto keeps numbers with their least byte first.
    return {part[at:at + PIECE] for part in (secret, secret[::-1]) for at in range(0, len(secret) - PIECE + 1)}


def main():
    arguments = sys.argv[1:]
    name = os.path.basename(arguments[0])
    is_tls = name.startswith("tls")  # which gets a certificate, a key and a client
    # On a busy machine the searches between two answers take longer, and what is to expire after them must not do so before.
    patience = int(os.environ.get("LOCKFAST_TEST_PATIENCE", 0)) or 1 + int(os.getloadavg()[0] / os.cpu_count())
    arguments = [str(int(each[1:]) * patience) if each.startswith("~") else each for each in arguments]
    answers = os.environ.pop("ANSWERS", "").splitlines()
    control = secrets.token_hex(16)
    needles, searches, output, client = set(), 0, [], None
    with tempfile.TemporaryDirectory() as folder:
        if is_tls:
            arguments.append(f"{folder}/certificate")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                            f"{folder}/key", "-out", f"{folder}/certificate", "-subj", "/CN=localhost"], check=True, capture_output=True)
            der = subprocess.run(["openssl", "pkey", "-in", f"{folder}/key", "-outform", "DER"], check=True, capture_output=True).stdout
            text = subprocess.run(["openssl", "ec", "-in", f"{folder}/key", "-text", "-noout"], check=True, capture_output=True).stdout
            number = bytes.fromhex("".join(text.decode().split("priv:")[1].split("pub:")[0].split()).replace(":", ""))
            assert number[-32:] in der
            with open(f"{folder}/key", "rb") as key:
                needles = pieces_of(number[-32:]) | pieces_of(key.read().split(b"\n")[1])
            if name == "tls_key":  # reads the key, in PEM, itself
                arguments.append(f"{folder}/key")
            read_end, write_end = os.pipe()
            os.write(write_end, der)
            os.close(write_end)
            os.dup2(read_end, 3)
            os.set_inheritable(3, True)
        environment = dict(os.environ, LOCKFAST_CONTROL=control)
        program = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, pass_fds=(3,) if is_tls else ())
        for line in program.stdout:
            line = line.decode().rstrip()
            output.append(line)
            print(line)
            if line.startswith("port ") and is_tls:
                port = line.split(":")[-1].split()[-1]
                client = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", f"{folder}/certificate",
                                           "-verify_return_error", "-quiet"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                          stderr=subprocess.DEVNULL)
            if not line.endswith("?"):
                continue
            answer = answers.pop(0) if answers else ""
            if answer.startswith("~"):
                seconds, answer = answer[1:].split(maxsplit=1)
                time.sleep(float(seconds) * patience)
            try:
                found = found_in(program.pid, needles | {control.encode()[:PIECE]})
            except PermissionError:
                print("skipped: the memory of another process cannot be read here")
                program.kill()
                sys.exit(77)
            if control.encode()[:PIECE] not in found:
                sys.exit("the search finds nothing, not even the control")
            if len(found) > 1:
                sys.exit(f"{len(found) - 1} pieces of a secret lie in memory that is not locked")
            searches += 1
            if answer.startswith("!"):
                answer = answer[1:]
                needles |= pieces_of(answer.encode())
            program.stdin.write(answer.encode() + b"\n")
            program.stdin.flush()
        status = program.wait()
        if client is not None and client.communicate()[0] != b"served\n":
            sys.exit("the client was not served")
    for wanted in os.environ.get("WANTED", "").splitlines():
        if not any(wanted in line for line in output):
            sys.exit(f"it did not say: {wanted}")
    print(f"{searches} searches, no copy")
    sys.exit(status if searches else "nothing was searched")


if __name__ == "__main__":
    main()
