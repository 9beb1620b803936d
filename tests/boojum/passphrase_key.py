#!/usr/bin/env python3
"""Computes the key of docs/boojum.md, "A key of a passphrase", for a passphrase, a salt and log2 of scrypt's N."""
import hashlib
import struct
import sys


def hchacha20(key, block):
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + block))

    def quarter(a, b, c, d):
        for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[x] = (state[x] + state[y]) & 0xFFFFFFFF
            word = state[z] ^ state[x]
            state[z] = (word << turn | word >> (32 - turn)) & 0xFFFFFFFF

    for _ in range(10):
        for column in range(4):
            quarter(column, column + 4, column + 8, column + 12)
        for column in range(4):
            quarter(column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def key_of(phrase, salt, work):
    key = hashlib.blake2b(b"lockfast passphrase 1" + salt).digest()[:32]
    key = hchacha20(key, struct.pack("<QQ", len(phrase), 0))
    for at in range(0, len(phrase), 16):
        key = hchacha20(key, phrase[at:at + 16].ljust(16, b"\0"))
    return hashlib.scrypt(key, salt=salt, n=1 << work, r=8, p=1, maxmem=1 << 30, dklen=32)


if __name__ == "__main__":
    print(key_of(sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])).hex())
