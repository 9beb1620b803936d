# doctest::doctest: for another system or processor only the header itself, since the folder that it lies in has this
# machine's headers of everything else.
if(CMAKE_CROSSCOMPILING)
  file(COPY /usr/include/doctest DESTINATION ${CMAKE_BINARY_DIR}/doctest)
  add_library(doctest::doctest INTERFACE IMPORTED)
  target_include_directories(doctest::doctest SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/doctest)
else()
  find_package(doctest QUIET)
  if(NOT doctest_FOUND)
    message(FATAL_ERROR "The tests need doctest: apt install doctest-dev, or let scripts/test install what they need. "
                        "The libraries alone: cmake --preset release -DLOCKFAST_DEVELOPER=OFF")
  endif()
endif()
