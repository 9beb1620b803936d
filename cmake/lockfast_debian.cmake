# Debian packages: `cmake --workflow --preset debian` makes them in build/debian (docs/install.md). The components that
# lockfast_targets.cmake and lockfast_package.cmake install are a package each:
#
#   runtime              liblockfast0.1          C libraries, the drop-ins included; the C library alone
#   boojum_runtime       liblockfast-boojum0.1   the C++ types; libcrypto and the C++ run-time library
#   development          liblockfast-dev         headers and archives of the first, pkg-config, CMake, documents
#   boojum_development   liblockfast-boojum-dev  the same of the second
#   tools                lockfast                the command, lockfast-served; the first two
#
# A program depends on the two libraries by their shlibs files: any patch release from the one that it was built with.
if(NOT PROJECT_IS_TOP_LEVEL OR CMAKE_CROSSCOMPILING OR NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  return()
endif()

# The preset asks for the packages: what they are made with is looked for before the build, not after it.
if(LOCKFAST_DEBIAN)
  find_program(LOCKFAST_SHLIBDEPS dpkg-shlibdeps)
  find_program(LOCKFAST_FILE file)
  if(NOT LOCKFAST_SHLIBDEPS OR NOT LOCKFAST_FILE)
    message(FATAL_ERROR "Debian packages are made with dpkg-shlibdeps and file: apt install dpkg-dev file")
  endif()
endif()

# What is not released yet sorts before the release.
set(version ${PROJECT_VERSION})
file(STRINGS ${PROJECT_SOURCE_DIR}/CHANGELOG.md released REGEX "^## \\[${PROJECT_VERSION}\\]")
if(NOT released)
  string(APPEND version "~dev")
endif()
# Debian's own packages begin with revision 1, and replace these.
set(revision 0upstream1)
set(same "(= ${version}-${revision})")
set(abi ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})

set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_VERSION ${version})
set(CPACK_DEBIAN_PACKAGE_RELEASE ${revision})
set(CPACK_DEBIAN_PACKAGE_SOURCE lockfast)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
# As Debian's own tools take it; without, an address that is plainly none.
set(CPACK_PACKAGE_CONTACT "Lockfast's packager <packager@lockfast.invalid>")
if(DEFINED ENV{DEBFULLNAME} AND DEFINED ENV{DEBEMAIL})
  set(CPACK_PACKAGE_CONTACT "$ENV{DEBFULLNAME} <$ENV{DEBEMAIL}>")
endif()
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR})
# Each package has a summary of its own.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_files.cmake)
set(CPACK_POST_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/debian_control.cmake)
set(CPACK_LOCKFAST_SOURCE ${PROJECT_SOURCE_DIR})
set(CPACK_LOCKFAST_STRIP ${CMAKE_STRIP})
set(CPACK_COMPONENTS_ALL "")
set(runtime_libraries liblockfast liblockfast-sodium liblockfast-sodium-standalone liblockfast-openssl liblockfast-gcrypt)

# debian_package(component name SECTION section [DEPENDS packages] [SUGGESTS packages] SUMMARY text DESCRIPTION text
#                [LIBRARIES name...]): LIBRARIES are the shared libraries in it.
function(debian_package component name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "SECTION;DEPENDS;SUGGESTS;SUMMARY;DESCRIPTION" "LIBRARIES")
  string(TOUPPER ${component} upper)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${arg_SECTION} PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_DEPENDS "${arg_DEPENDS}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SUGGESTS "${arg_SUGGESTS}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${arg_SUMMARY}\n${arg_DESCRIPTION}" PARENT_SCOPE)
  set(CPACK_DEBIAN_${upper}_PACKAGE_SHLIBDEPS ON PARENT_SCOPE)
  if(arg_LIBRARIES)
    list(TRANSFORM arg_LIBRARIES APPEND " ${abi} ${name} (>= ${version})\n" OUTPUT_VARIABLE lines)
    list(JOIN lines "" lines)
    set(folder ${PROJECT_BINARY_DIR}/debian/${component})
    file(WRITE ${folder}/shlibs "${lines}")
    file(WRITE ${folder}/triggers "activate-noawait ldconfig\n")
    set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA "${folder}/shlibs;${folder}/triggers" PARENT_SCOPE)
  endif()
endfunction()

debian_package(runtime liblockfast${abi} SECTION libs LIBRARIES ${runtime_libraries}
               SUMMARY "allocator for secrets: shared libraries"
               DESCRIPTION "Lockfast holds keys, passphrases and tokens in locked or hidden memory, out of
core dumps, between guard pages and canaries, and wipes them when they are
freed. liblockfast-sodium replaces libsodium's sodium_malloc and its kin, also
in programs that are built already.")
debian_package(development liblockfast-dev SECTION libdevel DEPENDS "liblockfast${abi} ${same}" SUGGESTS "liblockfast-boojum-dev, pkg-config"
               SUMMARY "allocator for secrets: headers, static libraries, documents"
               DESCRIPTION "What C and C++ programs need to be built on Lockfast, with pkg-config, CMake or
by hand, and all of its documents.")
# Without the command there is no package. Its vaults are liblockfast-boojum's; dpkg-shlibdeps passes over libraries of this build.
if(TARGET lockfast_command)
  set(needed "liblockfast${abi} ${same}")
  if(TARGET lockfast-boojum_shared)
    string(APPEND needed ", liblockfast-boojum${abi} ${same}")
  endif()
  debian_package(tools lockfast SECTION utils DEPENDS "${needed}" SUGGESTS "binutils"
                 SUMMARY "runs programs on an allocator for secrets, and says what they got"
                 DESCRIPTION "The command lockfast runs a program of libsodium's on Lockfast, draws the
memory that its secrets were in, and tells which protections this machine
gives a secret. lockfast-served tells how a program was linked.")
endif()
if(TARGET lockfast-boojum_shared)
  debian_package(boojum_runtime liblockfast-boojum${abi} SECTION libs DEPENDS "liblockfast${abi} ${same}" LIBRARIES liblockfast-boojum
                 SUMMARY "split secrets and vaults for C++: shared library"
                 DESCRIPTION "Secrets that are split over memory and files while at rest, passphrases that
expire, and a vault for many sealed records, on Lockfast and libcrypto.")
  debian_package(boojum_development liblockfast-boojum-dev SECTION libdevel
                 DEPENDS "liblockfast-boojum${abi} ${same}, liblockfast-dev ${same}, libssl-dev (>= 3.0)"
                 SUMMARY "split secrets and vaults for C++: headers and static library"
                 DESCRIPTION "What C++23 programs need to be built on the Boojum types of Lockfast, with
pkg-config, CMake or by hand.")
endif()
include(CPack)
