# The package lockfast: find_package(lockfast [COMPONENTS core sodium secure_heaps boojum boojum_static]).
#
#   core           lockfast::lockfast; lockfast::cxx, which is that and C++20
#   sodium         lockfast::sodium, lockfast::sodium_standalone, and where there are ELF linkers lockfast::sodium_wrap
#   secure_heaps   lockfast::openssl, lockfast::gcrypt; of Linux
#   boojum         lockfast::boojum, which C++23 uses; left out of a package that was built without libcrypto
#   boojum_static  lockfast::boojum_static; needs OpenSSL's development files
#
# Each of core, sodium and secure_heaps has a static twin, with _static after its name. Without components: all that this machine can link.
include(CMakeFindDependencyMacro)
set(lockfast_known core sodium secure_heaps boojum boojum_static)
foreach(component ${lockfast_FIND_COMPONENTS})
  if(NOT component IN_LIST lockfast_known)
    set(lockfast_FOUND FALSE)
    list(JOIN lockfast_known ", " lockfast_names)
    set(lockfast_NOT_FOUND_MESSAGE "lockfast has no component ${component}, but: ${lockfast_names}")
    return()
  endif()
endforeach()

include(${CMAKE_CURRENT_LIST_DIR}/lockfast-targets.cmake)
set(lockfast_core_FOUND TRUE)
set(lockfast_sodium_FOUND TRUE)
if(TARGET lockfast::openssl)
  set(lockfast_secure_heaps_FOUND TRUE)
endif()

if(EXISTS ${CMAKE_CURRENT_LIST_DIR}/lockfast-boojum-targets.cmake)
  include(${CMAKE_CURRENT_LIST_DIR}/lockfast-boojum-targets.cmake)
  set(lockfast_boojum_FOUND TRUE)
  if("boojum_static" IN_LIST lockfast_FIND_COMPONENTS OR NOT lockfast_FIND_COMPONENTS)
    find_package(Threads QUIET)
    find_package(OpenSSL 3.0 QUIET COMPONENTS Crypto)
    if(Threads_FOUND AND OPENSSL_FOUND)
      include(${CMAKE_CURRENT_LIST_DIR}/lockfast-boojum-static-targets.cmake)
      set(lockfast_boojum_static_FOUND TRUE)
    endif()
  endif()
endif()

foreach(component ${lockfast_FIND_COMPONENTS})
  if(lockfast_FIND_REQUIRED_${component} AND NOT lockfast_${component}_FOUND)
    set(lockfast_FOUND FALSE)
    set(lockfast_NOT_FOUND_MESSAGE
        "the component ${component} is not there: lockfast was built without libcrypto or for another system than Linux, or OpenSSL's development files are missing here")
  endif()
endforeach()
