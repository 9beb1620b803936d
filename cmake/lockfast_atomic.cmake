# Where the compiler calls a library to exchange a byte (RISC-V before GCC 13), that goes into our libraries and programs. Who
# links liblockfast.a there needs it too.
include(CheckCXXSourceCompiles)
check_cxx_source_compiles("#include <atomic>\nstd::atomic<bool> one;\nint main() { return one.exchange(true); }"
                          LOCKFAST_EXCHANGES_BYTES)
set(LOCKFAST_ATOMIC_LIBRARY "")
if(NOT LOCKFAST_EXCHANGES_BYTES)
  set(LOCKFAST_ATOMIC_LIBRARY -l:libatomic.a)
  foreach(language C CXX)
    string(APPEND CMAKE_${language}_STANDARD_LIBRARIES " ${LOCKFAST_ATOMIC_LIBRARY}")
  endforeach()
endif()
