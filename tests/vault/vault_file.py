#!/usr/bin/env python3
"""Reads a saved vault by docs/vault.md alone, with the standard library of Python alone.

vault_file.py FILE PASSPHRASE     prints each record: its id, a space, its bytes in hexadecimal digits
vault_file.py --vectors DOCUMENT  computes the document's test vectors anew: says that they hold, or leaves with 1
"""
import hashlib
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boojum"))
from passphrase_key import hchacha20, key_of  # noqa: E402

HEADER = struct.Struct("<8sIIIIII32s16sQQ16s16s")
CHUNK = 65536
TAG = 16
LAST = 1 << 63


class Damaged(Exception):
    pass


# ---- ChaCha20-Poly1305 (RFC 8439), XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) ------------------------------------------


def block_of(key, counter, nonce):
    start = struct.unpack("<16I", b"expand 32-byte k" + key + struct.pack("<I", counter) + nonce)
    state = list(start)
    for _ in range(10):
        for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
            for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                state[x] = (state[x] + state[y]) & 0xFFFFFFFF
                word = state[z] ^ state[x]
                state[z] = (word << turn | word >> (32 - turn)) & 0xFFFFFFFF
    return struct.pack("<16I", *((x + y) & 0xFFFFFFFF for x, y in zip(state, start)))


def stream_xor(key, nonce, text):
    stream = b"".join(block_of(key, 1 + at, nonce) for at in range((len(text) + 63) // 64))
    return bytes(x ^ y for x, y in zip(text, stream))


def tag_of(key, nonce, associated, sealed):
    once = block_of(key, 0, nonce)[:32]
    factor = int.from_bytes(once[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    pad = [part + bytes(-len(part) % 16) for part in (associated, sealed)]
    text = b"".join(pad) + struct.pack("<QQ", len(associated), len(sealed))
    sum_ = 0
    for at in range(0, len(text), 16):
        sum_ = (sum_ + int.from_bytes(text[at:at + 16] + b"\1", "little")) * factor % ((1 << 130) - 5)
    return ((sum_ + int.from_bytes(once[16:], "little")) % (1 << 128)).to_bytes(16, "little")


def seal(key, nonce, associated, plain):
    subkey, rest = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    sealed = stream_xor(subkey, rest, plain)
    return sealed + tag_of(subkey, rest, associated, sealed)


def open_sealed(key, nonce, associated, sealed):
    subkey, rest = hchacha20(key, nonce[:16]), bytes(4) + nonce[16:]
    if tag_of(subkey, rest, associated, sealed[:-TAG]) != sealed[-TAG:]:
        raise Damaged("a tag does not fit")
    return stream_xor(subkey, rest, sealed[:-TAG])


# ---- The file -----------------------------------------------------------------------------------------------------------


def nonce_of(file_nonce, counter):
    return file_nonce + struct.pack("<Q", counter)


def stored(key, fields, plain):
    """A file: fields are those of the header without its tag, plain is what the chunks hold."""
    described = HEADER.pack(*fields, bytes(TAG))[:-TAG]
    file_nonce = fields[-1]
    tag = seal(key, nonce_of(file_nonce, 0), described, b"")
    chunks = [plain[at:at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    file = described + tag
    for at, chunk in enumerate(chunks, 1):
        file += seal(key, nonce_of(file_nonce, at | (LAST if at == len(chunks) else 0)), tag, chunk)
    return file


def plain_of(file, phrase):
    magic, version, zero, work, block, parallel, chunk, salt, _, _, records, file_nonce, tag = HEADER.unpack(file[:HEADER.size])
    if (magic, version, zero, block, parallel, chunk) != (b"lockfast", 1, 0, 8, 1, CHUNK):
        raise Damaged("not such a file")
    key = key_of(phrase, salt, work)
    open_sealed(key, nonce_of(file_nonce, 0), file[:HEADER.size - TAG], tag)
    rest, plain, number = file[HEADER.size:], b"", 0
    while rest:
        sealed, rest = rest[:CHUNK + TAG], rest[CHUNK + TAG:]
        number += 1
        plain += open_sealed(key, nonce_of(file_nonce, number | (0 if rest else LAST)), tag, sealed)
    return plain, records


def records_of(plain):
    at = 0

    def number():
        nonlocal at
        at += 4
        return struct.unpack("<I", plain[at - 4:at])[0]

    for shard in range(16):
        for slot in range(number()):
            generation, size = number(), number()
            if size != 0:
                yield generation << 32 | slot << 4 | shard, plain[at:at + size]
                at += size
    if at != len(plain):
        raise Damaged("something is left over")


# ---- The vectors --------------------------------------------------------------------------------------------------------


def vectors_in(document):
    """The lines NAME VALUE between the fences that say vectors; a line that begins with a space goes on."""
    found, name, inside = {}, None, False
    for line in document.splitlines():
        if line.startswith("```"):
            inside = line == "```vectors"
        elif inside and line.startswith(" "):
            found[name] += line.strip()
        elif inside:
            name, value = line.split(maxsplit=1)
            found[name] = value
    return found


def check(condition, what):
    if not condition:
        sys.exit(f"the vectors are wrong: {what}")


def check_vectors(document):
    given = vectors_in(document)
    hex_of = {name: bytes.fromhex(given[name])
              for name in ("salt", "identity", "file-nonce", "key", "header", "plain", "chunk")}
    phrase, work = given["passphrase"].encode(), int(given["work"])
    key = key_of(phrase, hex_of["salt"], work)
    check(key == hex_of["key"], "key")

    def fields(saves, records):
        return (b"lockfast", 1, 0, work, 8, 1, CHUNK, hex_of["salt"], hex_of["identity"], saves, records,
                hex_of["file-nonce"])

    records = [given[f"record-{at}"].split() for at in (1, 2)]
    file = stored(key, fields(int(given["saves"]), len(records)), hex_of["plain"])
    check(file[:HEADER.size] == hex_of["header"], "header")
    check(file[HEADER.size:] == hex_of["chunk"], "chunk")
    found = [[str(id_), secret.hex()] for id_, secret in records_of(hex_of["plain"])]
    check(found == records, "records")
    check(plain_of(file, phrase) == (hex_of["plain"], len(records)), "reading")

    # The large one: a record of as many bytes, byte i is (i * i) % 251, in slot 0 of shard 0.
    size = int(given["large-size"])
    secret = bytes(i * i % 251 for i in range(size))
    plain = struct.pack("<III", 1, 1, size) + secret + bytes(4 * 15)
    large = stored(key, fields(1, 1), plain)
    check(len(large) == int(given["large-file-size"]), "large-file-size")
    check(hashlib.sha256(large).hexdigest() == given["large-file-sha256"], "large-file-sha256")


def main():
    if sys.argv[1] == "--vectors":
        with open(sys.argv[2], encoding="utf-8") as document:
            check_vectors(document.read())
        print("the vectors hold")
        return
    with open(sys.argv[1], "rb") as file:
        plain, count = plain_of(file.read(), sys.argv[2].encode())
    found = list(records_of(plain))
    if len(found) != count:
        raise Damaged("another number of records")
    for id_, secret in found:
        print(id_, secret.hex())


if __name__ == "__main__":
    main()
