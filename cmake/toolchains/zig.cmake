# What the toolchain files of other Unixes have alike: the Zig cross compiler (scripts/install-zig), which brings their headers,
# their C library's symbols and libc++. Whoever includes it sets: target (as Zig names it), system and processor (as CMake
# does), and programs, to ON or OFF: whether more than the libraries is to be linked.
set(CMAKE_SYSTEM_NAME ${system})
set(CMAKE_SYSTEM_PROCESSOR ${processor})
set(zig ${CMAKE_CURRENT_LIST_DIR}/../../build/tools/zig)
set(CMAKE_C_COMPILER ${zig}/zig cc -target ${target})
set(CMAKE_CXX_COMPILER ${zig}/zig c++ -target ${target})
set(CMAKE_AR ${zig}/zig-ar)
set(CMAKE_RANLIB ${zig}/zig-ranlib)
# Of what Zig's linker makes for macOS nothing is renamed when it is installed.
set(CMAKE_INSTALL_NAME_TOOL true)

# What CMake would find out by linking a program, which builds libc++ first, where only the libraries are built.
if(NOT programs)
  foreach(language C CXX)
    set(CMAKE_${language}_COMPILER_ID_RUN TRUE)
    set(CMAKE_${language}_COMPILER_ID Clang)
    set(CMAKE_${language}_COMPILER_VERSION 21.1.0)
    set(CMAKE_${language}_COMPILER_FRONTEND_VARIANT GNU)
    set(CMAKE_${language}_EXTENSIONS_COMPUTED_DEFAULT ON)
  endforeach()
  set(CMAKE_C_STANDARD_COMPUTED_DEFAULT 17)
  set(CMAKE_CXX_STANDARD_COMPUTED_DEFAULT 17)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
endif()

# Nothing of this machine's is to be found.
set(CMAKE_FIND_ROOT_PATH ${CMAKE_CURRENT_LIST_DIR}/../../build/packages/${target})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
