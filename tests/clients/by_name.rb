# by_name.rb - libsodium through ruby-ffi: blocks of sodium_malloc and of sodium_allocarray, their access, their end.
require 'ffi'

module Sodium
  extend FFI::Library
  begin
    ffi_lib ARGV.fetch(0, 'libsodium.so.23')
  rescue LoadError => error
    puts "skipped: #{error}"
    exit 77
  end
  attach_function :sodium_init, [], :int
  attach_function :sodium_malloc, [:size_t], :pointer
  attach_function :sodium_allocarray, %i[size_t size_t], :pointer
  attach_function :sodium_free, [:pointer], :void
  attach_function :sodium_mprotect_noaccess, [:pointer], :int
  attach_function :sodium_mprotect_readwrite, [:pointer], :int
end

module DropIn
  extend FFI::Library
  ffi_lib FFI::CURRENT_PROCESS
  attach_function :lockfast_size, [:pointer], :size_t
end

abort 'libsodium did not start' unless Sodium.sodium_init == 0
[Sodium.sodium_malloc(32), Sodium.sodium_allocarray(4, 8)].each do |block|
  abort 'not a block of the drop-in' unless DropIn.lockfast_size(block) == 32
  abort 'its access does not change' unless Sodium.sodium_mprotect_noaccess(block) == 0
  abort 'its access does not change back' unless Sodium.sodium_mprotect_readwrite(block) == 0
  block.put_bytes(0, 'a' * 32)
  Sodium.sodium_free(block)
end
