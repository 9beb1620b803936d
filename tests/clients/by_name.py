# by_name.py - libsodium through ctypes: blocks of sodium_malloc and of sodium_allocarray, their access, their end.
import ctypes
import sys

try:
    libsodium = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else 'libsodium.so.23')
except OSError as error:
    print(f'skipped: {error}')
    sys.exit(77)
size_of = ctypes.CDLL(None).lockfast_size
size_of.restype = ctypes.c_size_t
size_of.argtypes = [ctypes.c_void_p]
for function, arguments in (('sodium_malloc', 1), ('sodium_allocarray', 2)):
    getattr(libsodium, function).restype = ctypes.c_void_p
    getattr(libsodium, function).argtypes = [ctypes.c_size_t] * arguments
for function in ('sodium_free', 'sodium_mprotect_noaccess', 'sodium_mprotect_readwrite'):
    getattr(libsodium, function).argtypes = [ctypes.c_void_p]

assert libsodium.sodium_init() == 0
for block in (libsodium.sodium_malloc(32), libsodium.sodium_allocarray(4, 8)):
    assert size_of(block) == 32, 'not a block of the drop-in'
    assert libsodium.sodium_mprotect_noaccess(block) == 0
    assert libsodium.sodium_mprotect_readwrite(block) == 0
    ctypes.memset(block, 0x61, 32)
    libsodium.sodium_free(block)
key = ctypes.create_string_buffer(32)
libsodium.randombytes_buf(key, ctypes.c_size_t(32))
assert key.raw != bytes(32), 'the rest is libsodium'
