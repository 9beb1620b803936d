# Windows on x86-64, by Zig; windows.cmake is for mingw-w64, whose programs are run.
set(target x86_64-windows-gnu)
set(system Windows)
set(processor x86_64)
set(programs OFF)
include(${CMAKE_CURRENT_LIST_DIR}/zig.cmake)
