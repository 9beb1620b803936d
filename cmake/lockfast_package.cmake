# What is installed beside libraries and headers: the package for CMake, the files of pkg-config, the documents.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lockfast)
set(exports lockfast)
if(TARGET lockfast-boojum_shared)
  list(APPEND exports lockfast-boojum lockfast-boojum-static)
endif()
foreach(export ${exports})
  set(component development)
  if(export MATCHES "boojum")
    set(component boojum_development)
  endif()
  install(EXPORT ${export} NAMESPACE lockfast:: DESTINATION ${package_folder} FILE ${export}-targets.cmake COMPONENT ${component})
endforeach()
write_basic_package_version_file(lockfast-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lockfast-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config.cmake COPYONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config-version.cmake
        DESTINATION ${package_folder} COMPONENT development)

# Where pkg-config finds the installation. Its files find their prefix from where they lie, so that it can be moved; below /usr
# they name it, which pkg-config leaves out of its flags.
set(prefix ${CMAKE_INSTALL_PREFIX})
foreach(folder LIBDIR INCLUDEDIR)
  string(TOLOWER ${folder} name)
  set(${name} \${prefix}/${CMAKE_INSTALL_${folder}})
  if(IS_ABSOLUTE ${CMAKE_INSTALL_${folder}})
    set(${name} ${CMAKE_INSTALL_${folder}})
  endif()
endforeach()
if(NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  string(REGEX REPLACE "/$" "" up ${up})
  set(prefix \${pcfiledir}/${up})
endif()

# What a program that links a static library needs of the system: that for every one of them, and that for libraries with files.
set(system_flags "")
if(NOT WIN32)
  list(APPEND system_flags -pthread)
endif()
list(APPEND system_flags ${LOCKFAST_ATOMIC_LIBRARY})
set(file_flags ${system_flags})
foreach(library ${lockfast_system_libraries})
  list(APPEND system_flags -l${library})
  list(APPEND file_flags -l${library})
endforeach()
foreach(library ${lockfast_file_libraries})
  list(APPEND file_flags -l${library})
endforeach()

# lockfast_pkg_config(name COMPONENT component DESCRIPTION text [REQUIRES package] [PRIVATE_REQUIRES package] [CFLAGS flags]
#                     [LIBRARIES flags] PRIVATE_LIBRARIES flags...): name.pc for lib<name>.
function(lockfast_pkg_config name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "COMPONENT;DESCRIPTION;REQUIRES;PRIVATE_REQUIRES;CFLAGS;LIBRARIES" "PRIVATE_LIBRARIES")
  list(JOIN arg_PRIVATE_LIBRARIES " " arg_PRIVATE_LIBRARIES)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/lockfast.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT ${arg_COMPONENT})
endfunction()

lockfast_pkg_config(lockfast COMPONENT development DESCRIPTION "An allocator for secrets" PRIVATE_LIBRARIES ${system_flags})
lockfast_pkg_config(lockfast-sodium COMPONENT development PRIVATE_LIBRARIES ${system_flags}
                    DESCRIPTION "libsodium's secure memory by Lockfast; stands before libsodium in the link order")
lockfast_pkg_config(lockfast-sodium-standalone COMPONENT development PRIVATE_LIBRARIES ${system_flags}
                    DESCRIPTION "libsodium's secure memory by Lockfast, without libsodium")
if(TARGET lockfast-openssl_shared)
  lockfast_pkg_config(lockfast-openssl COMPONENT development PRIVATE_LIBRARIES ${system_flags}
                      DESCRIPTION "OpenSSL's secure heap by Lockfast; stands before libcrypto in the link order")
  lockfast_pkg_config(lockfast-gcrypt COMPONENT development PRIVATE_LIBRARIES ${system_flags}
                      DESCRIPTION "libgcrypt's secure memory by Lockfast")
endif()
if(TARGET lockfast-sodium-wrap_static)
  lockfast_pkg_config(lockfast-sodium-wrap COMPONENT development PRIVATE_LIBRARIES ${system_flags}
                      LIBRARIES -Wl,@\${libdir}/lockfast/sodium.wrap
                      DESCRIPTION "libsodium's secure memory by Lockfast, for a program that links libsodium.a")
endif()
if(TARGET lockfast-boojum_shared)
  lockfast_pkg_config(lockfast-boojum COMPONENT boojum_development PRIVATE_LIBRARIES ${file_flags} REQUIRES lockfast
                      PRIVATE_REQUIRES libcrypto CFLAGS -std=c++23
                      DESCRIPTION "Split secrets, files, passphrases and vaults for C++23")
endif()

# The documents' folder is named for the project at the top.
if(NOT PROJECT_IS_TOP_LEVEL)
  return()
endif()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT licence)
install(FILES ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT development
        FILES_MATCHING PATTERN *.md PATTERN *.svg PATTERN reference EXCLUDE)

# The dynamic linker looks into /usr/local/lib, but by a cache that ldconfig makes.
install(CODE "
  if(\"\$ENV{DESTDIR}\" STREQUAL \"\" AND \"${CMAKE_SYSTEM_NAME}\" STREQUAL \"Linux\" AND CMAKE_INSTALL_PREFIX MATCHES \"^/usr\")
    message(STATUS \"Run ldconfig as root, so that programs find the libraries\")
  endif()")
