# What is installed beside libraries and headers: the package for CMake, the files of pkg-config, the documents.
include(CMakePackageConfigHelpers)
set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/lockfast)
set(exports lockfast)
if(TARGET lockfast-boojum_shared)
  list(APPEND exports lockfast-boojum lockfast-boojum-static)
endif()
foreach(export ${exports})
  install(EXPORT ${export} NAMESPACE lockfast:: DESTINATION ${package_folder} FILE ${export}-targets.cmake)
endforeach()
write_basic_package_version_file(lockfast-config-version.cmake COMPATIBILITY SameMinorVersion)
configure_file(${CMAKE_CURRENT_LIST_DIR}/lockfast-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config.cmake COPYONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/lockfast-config-version.cmake
        DESTINATION ${package_folder})

# lockfast_pkg_config(name DESCRIPTION text REQUIRES package PRIVATE_REQUIRES package PRIVATE_LIBRARIES flags CFLAGS flags):
# name.pc for lib<name>. It finds its prefix from where it lies, so that an installation can be moved.
function(lockfast_pkg_config name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "DESCRIPTION;REQUIRES;PRIVATE_REQUIRES;PRIVATE_LIBRARIES;CFLAGS" "")
  file(RELATIVE_PATH up /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
  configure_file(${CMAKE_CURRENT_FUNCTION_LIST_DIR}/lockfast.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

lockfast_pkg_config(lockfast DESCRIPTION "An allocator for secrets")
lockfast_pkg_config(lockfast-sodium DESCRIPTION "libsodium's secure memory by Lockfast; stands before libsodium in the link order")
lockfast_pkg_config(lockfast-sodium-standalone DESCRIPTION "libsodium's secure memory by Lockfast, without libsodium")
if(TARGET lockfast-openssl_shared)
  lockfast_pkg_config(lockfast-openssl DESCRIPTION "OpenSSL's secure heap by Lockfast; stands before libcrypto in the link order")
  lockfast_pkg_config(lockfast-gcrypt DESCRIPTION "libgcrypt's secure memory by Lockfast")
endif()
if(TARGET lockfast-boojum_shared)
  lockfast_pkg_config(lockfast-boojum DESCRIPTION "Split secrets, files, passphrases and vaults for C++23" REQUIRES lockfast
                      PRIVATE_REQUIRES libcrypto PRIVATE_LIBRARIES -pthread CFLAGS -std=c++23)
endif()

file(GLOB documents ${PROJECT_SOURCE_DIR}/docs/*.md)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/CHANGELOG.md ${PROJECT_SOURCE_DIR}/LICENSE
        DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${documents} DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

# The dynamic linker looks into /usr/local/lib, but by a cache that ldconfig makes.
install(CODE "
  if(\"\$ENV{DESTDIR}\" STREQUAL \"\" AND \"${CMAKE_SYSTEM_NAME}\" STREQUAL \"Linux\" AND CMAKE_INSTALL_PREFIX MATCHES \"^/usr\")
    message(STATUS \"Run ldconfig as root, so that programs find the libraries\")
  endif()")
