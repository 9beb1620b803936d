# lockfast_parse_once(name): of a test program for another processor, under a sanitizer or in the preset tested, takes doctest and the
# standard library from a header that is compiled once, for half of the time. The preset release shows that each file includes what it
# needs.
function(lockfast_parse_once name)
  if(LOCKFAST_SLOW_PROCESSOR OR LOCKFAST_QUICK_BUILD)
    target_precompile_headers(${name} REUSE_FROM test_support)
  endif()
endfunction()

# The library that the suites over the real host link. Under an emulator that pretends to larger pages it is the static one, in
# a static program: qemu-user 7.2 does not map all of a shared library's data there.
set(lockfast_tested lockfast_shared)
if(LOCKFAST_PAGE_SIZES)
  set(lockfast_tested lockfast_static)
endif()

# suite(name SOURCES ... LIBRARIES ... SLOW ... [EVERY_PAGE_SIZE | LARGEST_PAGE_SIZE]): a doctest program that is one ctest, as
# of suite_test.
function(suite name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "EVERY_PAGE_SIZE;LARGEST_PAGE_SIZE" "" "SOURCES;LIBRARIES;SLOW")
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} test_support doctest::doctest Threads::Threads)
  target_compile_features(${name} PRIVATE cxx_std_23)
  lockfast_warnings(${name})
  lockfast_parse_once(${name})
  # No DLL of the compiler's is where the program is.
  if(WIN32)
    target_link_options(${name} PRIVATE -static)
  endif()
  set(page_sizes)
  foreach(which EVERY_PAGE_SIZE LARGEST_PAGE_SIZE)
    if(arg_${which})
      set(page_sizes ${which})
      lockfast_link_statically(${name})
    endif()
  endforeach()
  suite_test(${name} ${name} ${page_sizes} SLOW ${arg_SLOW})
endfunction()

# lockfast_link_statically(name): where the program is to run with larger pages.
function(lockfast_link_statically name)
  if(LOCKFAST_PAGE_SIZES)
    target_link_options(${name} PRIVATE -static)
  endif()
endfunction()

# suite_test(name program SLOW ... ARGUMENTS ... ENVIRONMENT ... [EVERY_PAGE_SIZE | LARGEST_PAGE_SIZE]): a ctest of a doctest
# program. Where each instruction is translated (LOCKFAST_SLOW_PROCESSOR), and under Wine, where processes start slowly, the test
# cases named by SLOW are left out. One ctest more, NAME.64k, for each of LOCKFAST_PAGE_SIZES, or for the last of them.
function(suite_test name program)
  cmake_parse_arguments(PARSE_ARGV 2 arg "EVERY_PAGE_SIZE;LARGEST_PAGE_SIZE" "" "SLOW;ARGUMENTS;ENVIRONMENT")
  if((LOCKFAST_SLOW_PROCESSOR OR WIN32) AND arg_SLOW)
    list(JOIN arg_SLOW , left_out)
    list(APPEND arg_ARGUMENTS --test-case-exclude=${left_out})
  endif()
  set(page_sizes "")
  if(arg_EVERY_PAGE_SIZE)
    set(page_sizes ${LOCKFAST_PAGE_SIZES})
  elseif(arg_LARGEST_PAGE_SIZE AND LOCKFAST_PAGE_SIZES)
    list(GET LOCKFAST_PAGE_SIZES -1 page_sizes)
  endif()
  foreach(page_size system ${page_sizes})
    set(test ${name})
    set(emulator ${CMAKE_CROSSCOMPILING_EMULATOR})
    if(NOT page_size STREQUAL "system")
      math(EXPR kibibytes "${page_size} / 1024")
      set(test ${name}.${kibibytes}k)
      list(APPEND emulator -p ${page_size})
    endif()
    add_test(NAME ${test} COMMAND ${emulator} $<TARGET_FILE:${program}> ${arg_ARGUMENTS})
    # The program starts itself again with these words (tests/support/child.cc). How long a test may take is for the preset: what
    # hangs ends by its own alarm (tests/support/patience.h), which a busy machine makes longer.
    list(JOIN emulator " " words)
    set_tests_properties(${test} PROPERTIES
                         ENVIRONMENT "LOCKFAST_OPTIONS=;LOCKFAST_TEST_EMULATOR=${words};${arg_ENVIRONMENT}")
  endforeach()
endfunction()
