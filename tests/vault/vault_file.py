#!/usr/bin/env python3
"""Reads and writes saved vaults by docs/vault.md alone, with the standard library of Python alone.

vault_file.py FILE PASSPHRASE           prints each record: its id, a space, its bytes in hexadecimal digits; then, where it has one,
                                        its name and its label, as such digits, "-" for none
vault_file.py FILE key:DIGITS           the same of a file under a raw key, in hexadecimal digits; --write takes it as well
vault_file.py --write FILE PASSPHRASE   writes a file of format 2 with the records that standard input has in that form
vault_file.py --vectors DOCUMENT        computes the document's test vectors anew: says that they hold, or leaves with 1
"""
import hashlib
import hmac
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "boojum"))
from passphrase_key import hchacha20, key_of  # noqa: E402

FIELDS = struct.Struct("<8sIIIIII32s16sQQ16s")  # what both formats begin with
CHUNK = {1: 65536, 2: 16384}
TAG = 16
LAST = 1 << 63
SCRYPT = {1: 0, 2: 1}
RAW = 3
SHARDS = 16
NAMES = 1  # the kind of the section behind the shards


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


def nonce_of(format_, file_nonce, counter):
    number = struct.pack("<Q", counter)
    return file_nonce + number if format_ == 1 else number + file_nonce


def file_key(phrase, salt, cost):
    if not phrase.startswith(b"key:"):
        return key_of(phrase, salt, cost)
    return hmac.new(bytes.fromhex(phrase[4:].decode()), b"lockfast vault 2 raw key" + salt, hashlib.sha256).digest()


def mark_and_key(format_, key, described):
    """What stands behind the header's fields, and the key of the chunks."""
    if format_ == 1:
        return seal(key, nonce_of(1, described[96:112], 0), described, b""), key

    def of(text):
        return hmac.new(key, text, hashlib.sha256).digest()

    return of(b"lockfast vault 2 header" + described), of(b"lockfast vault 2 chunks")


def stored(key, fields, plain):
    """A file: fields are those of the header without its mark, plain is what the chunks hold."""
    described = FIELDS.pack(*fields)
    format_, size, file_nonce = fields[1], fields[6], fields[-1]
    mark, chunk_key = mark_and_key(format_, key, described)
    chunks = [plain[at:at + size] for at in range(0, len(plain), size)] or [b""]
    file = described + mark
    for at, chunk in enumerate(chunks, 1):
        number = at | (LAST if at == len(chunks) else 0)
        file += seal(chunk_key, nonce_of(format_, file_nonce, number), mark, chunk)
    return file


def plain_of(file, phrase):
    described = file[:FIELDS.size]
    magic, format_, function, cost, block, parallel, size, salt, _, _, count, file_nonce = FIELDS.unpack(described)
    wanted = (RAW, 0, 0) if phrase.startswith(b"key:") else (SCRYPT[format_], 8, 1)
    if magic != b"lockfast" or format_ not in CHUNK or (function, block, parallel) != wanted:
        raise Damaged("not such a file")
    mark, chunk_key = mark_and_key(format_, file_key(phrase, salt, cost), described)
    rest = file[FIELDS.size:]
    if rest[:len(mark)] != mark:
        raise Damaged("another passphrase")
    rest, plain, number = rest[len(mark):], b"", 0
    while rest:
        sealed, rest = rest[:size + TAG], rest[size + TAG:]
        number += 1
        plain += open_sealed(chunk_key, nonce_of(format_, file_nonce, number | (0 if rest else LAST)), mark, sealed)
    return format_, plain, count


def records_of(format_, plain):
    """(id, secret, name, label) of each record."""
    at = 0
    secrets, texts = {}, {}

    def number():
        nonlocal at
        at += 4
        return struct.unpack("<I", plain[at - 4:at])[0]

    for shard in range(SHARDS):
        slots = number()
        if format_ != 1:
            number()  # the floor of the generations
        for slot in range(slots):
            generation, size = number(), number()
            if size != 0:
                secrets[generation << 32 | slot << 4 | shard] = plain[at:at + size]
                at += size
    if format_ != 1 and at != len(plain):
        if number() != NAMES:
            raise Damaged("a section of another kind")
        for _ in range(number()):
            id_ = number() | number() << 32
            sizes = number(), number()
            texts[id_] = plain[at:at + sizes[0]], plain[at + sizes[0]:at + sum(sizes)]
            at += sum(sizes)
    if at != len(plain) or not texts.keys() <= secrets.keys():
        raise Damaged("something is left over")
    for id_, secret in secrets.items():
        yield id_, secret, *texts.get(id_, (b"", b""))


def plain_from(records):
    """The stream of format 2 for (secret, name, label) by id."""
    plain = b""
    for shard in range(SHARDS):
        slots = {id_ >> 4 & 0xFFFFFFF: (id_ >> 32, of[0]) for id_, of in records.items() if id_ & 15 == shard}
        count = max(slots, default=-1) + 1
        plain += struct.pack("<II", count, 0)
        for slot in range(count):
            generation, secret = slots.get(slot, (0, b""))
            plain += struct.pack("<II", generation, len(secret)) + secret
    named = {id_: of[1:] for id_, of in records.items() if any(of[1:])}
    if named:
        plain += struct.pack("<II", NAMES, len(named))
        for id_, (name, label) in sorted(named.items()):
            plain += struct.pack("<QII", id_, len(name), len(label)) + name + label
    return plain


def written(records, phrase, cost=10):
    salt, identity, file_nonce = os.urandom(32), os.urandom(16), os.urandom(16)
    of_key = (RAW, 0, 0, 0) if phrase.startswith(b"key:") else (SCRYPT[2], cost, 8, 1)
    fields = (b"lockfast", 2, *of_key, CHUNK[2], salt, identity, 1, len(records), file_nonce)
    return stored(file_key(phrase, salt, cost), fields, plain_from(records))


# ---- The vectors --------------------------------------------------------------------------------------------------------


def vectors_in(document, format_):
    """The lines NAME VALUE between the fences that say so; a line that begins with a space goes on."""
    found, name, inside = {}, None, False
    for line in document.splitlines():
        if line.startswith("```"):
            inside = line == f"```vectors-{format_}"
        elif inside and line.startswith(" "):
            found[name] += line.strip()
        elif inside:
            name, value = line.split(maxsplit=1)
            found[name] = value
    return found


def check(condition, what):
    if not condition:
        sys.exit(f"the vectors are wrong: {what}")


def check_vectors(document, format_):
    given = vectors_in(document, format_)
    hex_of = {name: bytes.fromhex(given[name])
              for name in ("salt", "identity", "file-nonce", "key", "header", "plain", "chunk")}
    phrase, cost = given["passphrase"].encode(), int(given["cost"])
    key = key_of(phrase, hex_of["salt"], cost)
    check(key == hex_of["key"], "key")

    def fields(saves, records):
        return (b"lockfast", format_, SCRYPT[format_], cost, 8, 1, CHUNK[format_], hex_of["salt"], hex_of["identity"], saves,
                records, hex_of["file-nonce"])

    records = [given[f"record-{at}"].split() for at in (1, 2)]
    file = stored(key, fields(int(given["saves"]), len(records)), hex_of["plain"])
    header_size = len(hex_of["header"])
    check(file[:header_size] == hex_of["header"], "header")
    check(file[header_size:] == hex_of["chunk"], "chunk")
    found = [[str(id_), secret.hex()] for id_, secret, _, _ in records_of(format_, hex_of["plain"])]
    check(found == records, "records")
    check(plain_of(file, phrase) == (format_, hex_of["plain"], len(records)), "reading")
    if format_ == 1:
        return

    # The large one: a record of as many bytes, byte i is (i * i) % 251, in slot 0 of shard 0.
    size = int(given["large-size"])
    secret = bytes(i * i % 251 for i in range(size))
    plain = struct.pack("<IIII", 1, 0, 1, size) + secret + bytes(8 * 15)
    large = stored(key, fields(1, 1), plain)
    check(len(large) == int(given["large-file-size"]), "large-file-size")
    check(hashlib.sha256(large).hexdigest() == given["large-file-sha256"], "large-file-sha256")


def main():
    if sys.argv[1] == "--vectors":
        with open(sys.argv[2], encoding="utf-8") as document:
            text = document.read()
        for format_ in CHUNK:
            check_vectors(text, format_)
        print("the vectors hold")
        return
    if sys.argv[1] == "--write":
        records = {}
        for line in sys.stdin:
            id_, *digits = line.split()
            texts = [bytes.fromhex(each.strip("-")) for each in digits]
            records[int(id_)] = tuple(texts + [b""] * (3 - len(texts)))
        with open(sys.argv[2], "wb") as file:
            file.write(written(records, sys.argv[3].encode()))
        print(len(records), "records")
        return
    with open(sys.argv[1], "rb") as file:
        format_, plain, count = plain_of(file.read(), sys.argv[2].encode())
    found = list(records_of(format_, plain))
    if len(found) != count:
        raise Damaged("another number of records")
    for id_, secret, name, label in found:
        print(id_, secret.hex(), *([name.hex() or "-", label.hex() or "-"] if name or label else []))


if __name__ == "__main__":
    main()
