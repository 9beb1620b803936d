# doctest::doctest: for another system or processor only the header itself, since the folder that it lies in has this
# machine's headers of everything else.
if(CMAKE_CROSSCOMPILING)
  file(COPY /usr/include/doctest DESTINATION ${CMAKE_BINARY_DIR}/doctest)
  add_library(doctest::doctest INTERFACE IMPORTED)
  target_include_directories(doctest::doctest SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/doctest)
else()
  find_package(doctest REQUIRED)
endif()
