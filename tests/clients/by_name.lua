-- by_name.lua - libsodium through LuaJIT's ffi: blocks of sodium_malloc and of sodium_allocarray, their access, their end.
local ffi = require('ffi')
ffi.cdef[[
int sodium_init(void);
void *sodium_malloc(size_t size);
void *sodium_allocarray(size_t count, size_t size);
void sodium_free(void *block);
int sodium_mprotect_noaccess(void *block);
int sodium_mprotect_readwrite(void *block);
size_t lockfast_size(const void *block);
]]
local there, libsodium = pcall(ffi.load, arg[1] or 'libsodium.so.23')
if not there then
  print('skipped: ' .. libsodium)
  os.exit(77)
end

assert(libsodium.sodium_init() == 0, 'libsodium did not start')
for _, block in ipairs({libsodium.sodium_malloc(32), libsodium.sodium_allocarray(4, 8)}) do
  assert(ffi.C.lockfast_size(block) == 32, 'not a block of the drop-in')
  assert(libsodium.sodium_mprotect_noaccess(block) == 0, 'its access does not change')
  assert(libsodium.sodium_mprotect_readwrite(block) == 0, 'its access does not change back')
  ffi.fill(block, 32, 0x61)
  libsodium.sodium_free(block)
end
