# Where the compiler calls a library to exchange a byte (RISC-V before GCC 13), that goes into our libraries and programs. Who
# links liblockfast.a there needs it too.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("#include <atomic>\nstd::atomic<bool> one;\nint main() { return one.exchange(true); }"
                          LOCKFAST_EXCHANGES_BYTES)
if(NOT LOCKFAST_EXCHANGES_BYTES)
  foreach(language C CXX)
    string(APPEND CMAKE_${language}_STANDARD_LIBRARIES " -l:libatomic.a")
  endforeach()
endif()
