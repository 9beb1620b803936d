# What the toolchain files of other processors have alike: Debian's cross compiler for a triplet, its C library, and qemu-user
# to run what was built. Whoever includes it sets: triplet, processor (as CMake names it), debian (as Debian's packages name it)
# and emulator (as qemu names it).
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${processor})
set(CMAKE_C_COMPILER ${triplet}-gcc)
set(CMAKE_CXX_COMPILER ${triplet}-g++)
set(CMAKE_LIBRARY_ARCHITECTURE ${triplet})

# libcrypto comes from the processor's own package, unpacked by scripts/unpack-libcrypto; nothing of this machine's is to be
# found.
set(unpacked ${CMAKE_CURRENT_LIST_DIR}/../../build/packages/${debian})
set(CMAKE_FIND_ROOT_PATH /usr/${triplet} ${unpacked})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

set(CMAKE_CROSSCOMPILING_EMULATOR qemu-${emulator}-static -L /usr/${triplet})
# Each instruction is translated: what takes long there for no further coverage is left out (tests/CMakeLists.txt).
set(LOCKFAST_SLOW_PROCESSOR ON)
