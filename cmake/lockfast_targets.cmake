# lockfast_objects(name SOURCES ...): objects of one layer, compiled once and linked into every library and test that needs
# them. No exceptions, no run-time types, no guarded statics: nothing here may need the C++ run-time library.
function(lockfast_objects name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES")
  add_library(${name} OBJECT ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_compile_features(${name} PRIVATE cxx_std_23)
  target_compile_options(${name} PRIVATE -fno-exceptions -fno-rtti -fno-threadsafe-statics
                         $<$<NOT:$<PLATFORM_ID:Darwin,Windows>>:-fno-plt>)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON CXX_EXTENSIONS OFF)
  lockfast_warnings(${name})
  lockfast_together(${name} 4)
endfunction()

# lockfast_together(name COUNT): where LOCKFAST_QUICK_BUILD is ON, so many sources are compiled as one.
function(lockfast_together name count)
  if(LOCKFAST_QUICK_BUILD STREQUAL "ON")
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE ${count})
  endif()
endfunction()

function(lockfast_warnings name)
  if(LOCKFAST_DEVELOPER)
    target_compile_options(${name} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wcast-align
                           $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> -Wundef -Werror)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${name} PRIVATE -Wduplicated-cond -Wlogical-op)
    endif()
  endif()
endfunction()

# lockfast_shared_link(name): how a shared library is linked. Secrets outlive a dlclose: -z nodelete keeps the library, its
# thread, its fork handlers and its pools where they are.
function(lockfast_shared_link name)
  if(APPLE)
    # Its linker refuses what is undefined by itself. The drop-in calls sodium_misuse where the program has it.
    if(name MATCHES "sodium")
      target_link_options(${name} PRIVATE -Wl,-undefined,dynamic_lookup)
    endif()
    return()
  endif()
  if(WIN32)
    return()
  endif()
  target_link_options(${name} PRIVATE -Wl,-z,nodelete,-z,relro,-z,now)
  # A sanitizer's run-time library is the program's to bring.
  if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

# lockfast_static_link(name): whoever links a static library into a shared one of his own has that stay, as ours does.
function(lockfast_static_link name)
  if(WIN32 OR APPLE)
    return()
  endif()
  set(type $<TARGET_PROPERTY:TYPE>)
  set(stays $<OR:$<STREQUAL:${type},SHARED_LIBRARY>,$<STREQUAL:${type},MODULE_LIBRARY>>)
  target_link_options(${name} INTERFACE $<${stays}:LINKER:-z,nodelete>)
endfunction()

# What the platform's objects need of the system beside its C library.
set(lockfast_system_libraries "")
set(lockfast_file_libraries "")
if(WIN32)
  set(lockfast_system_libraries bcrypt)
  set(lockfast_file_libraries ntdll advapi32)
  # Which of its run-time libraries gcc takes is for the link options to say.
  list(REMOVE_ITEM CMAKE_CXX_IMPLICIT_LINK_LIBRARIES gcc_s)
endif()

# lockfast_exports(target objects): the symbols that a DLL exports are those that the headers declare; the objects name none, since
# they are in the static library too, whose user would export them in turn.
function(lockfast_exports target objects)
  list(TRANSFORM objects REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>")
  set(list ${CMAKE_CURRENT_BINARY_DIR}/${target}.def)
  add_custom_command(OUTPUT ${list} VERBATIM COMMAND_EXPAND_LISTS
                     COMMAND ${CMAKE_COMMAND} -DNM=${CMAKE_NM} -DHEADERS=${PROJECT_SOURCE_DIR}/include/lockfast -DLIST=${list}
                             -P ${PROJECT_SOURCE_DIR}/cmake/exports.cmake -- ${objects}
                     DEPENDS ${objects} ${PROJECT_SOURCE_DIR}/cmake/exports.cmake)
  target_sources(${target} PRIVATE ${list})
endfunction()

# lockfast_public_headers(target): those of the C interface, and those of C++ that are on top of it alone.
function(lockfast_public_headers target)
  target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES
                 ${PROJECT_SOURCE_DIR}/include/lockfast/lockfast.h ${PROJECT_SOURCE_DIR}/include/lockfast/sodium.h
                 ${PROJECT_SOURCE_DIR}/include/lockfast/memory_error.hpp ${PROJECT_SOURCE_DIR}/include/lockfast/secret.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/allocator.hpp ${PROJECT_SOURCE_DIR}/include/lockfast/lockfast.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/cell.hpp ${PROJECT_SOURCE_DIR}/include/lockfast/detail/cxx20.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/expected.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/not_formatted.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/string.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/string_arguments.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/string_functions.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/string_searches.hpp
                 ${PROJECT_SOURCE_DIR}/include/lockfast/detail/string_storage.hpp)
endfunction()

# lockfast_install(target export runtime development): installs a library and its headers in two components: what programs
# need to run, and what they need to be built.
function(lockfast_install target export runtime development)
  install(TARGETS ${target} EXPORT ${export} RUNTIME COMPONENT ${runtime}
          LIBRARY COMPONENT ${runtime} NAMELINK_COMPONENT ${development} ARCHIVE COMPONENT ${development}
          FILE_SET HEADERS COMPONENT ${development})
endfunction()

# lockfast_library(name EXPORT_NAME export OBJECTS ...): a shared and a static library of the same objects, installed and
# exported as lockfast::export and lockfast::export_static. Linked as C, so that a C++ run-time library cannot slip in.
function(lockfast_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "EXPORT_NAME" "OBJECTS")
  list(TRANSFORM arg_OBJECTS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  foreach(kind SHARED STATIC)
    string(TOLOWER ${kind} suffix)
    set(target ${name}_${suffix})
    add_library(${target} ${kind} ${objects})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} LINKER_LANGUAGE C)
    target_link_libraries(${target} PRIVATE ${lockfast_system_libraries})
    lockfast_public_headers(${target})
    if(name STREQUAL "lockfast-gcrypt")
      target_sources(${target} PUBLIC FILE_SET HEADERS FILES ${PROJECT_SOURCE_DIR}/include/lockfast/gcrypt.h)
    endif()
    lockfast_install(${target} lockfast runtime development)
  endforeach()
  set_target_properties(${name}_shared PROPERTIES EXPORT_NAME ${arg_EXPORT_NAME} VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  set_target_properties(${name}_static PROPERTIES EXPORT_NAME ${arg_EXPORT_NAME}_static)
  lockfast_shared_link(${name}_shared)
  lockfast_static_link(${name}_static)
  if(WIN32)
    lockfast_exports(${name}_shared "${arg_OBJECTS}")
  endif()
  target_link_options(${name}_shared PRIVATE $<$<C_COMPILER_ID:GNU>:-static-libgcc>)
  add_library(lockfast::${arg_EXPORT_NAME} ALIAS ${name}_shared)
  add_library(lockfast::${arg_EXPORT_NAME}_static ALIAS ${name}_static)
endfunction()

# lockfast_cxx_library(): lockfast::cxx and lockfast::cxx_static, which are liblockfast and the standard that allocator.hpp and secret.hpp
# need. lockfast::lockfast asks for none, since programs in C and in older C++ link it.
function(lockfast_cxx_library)
  foreach(kind shared static)
    add_library(lockfast-cxx_${kind} INTERFACE)
    target_link_libraries(lockfast-cxx_${kind} INTERFACE lockfast_${kind})
    target_compile_features(lockfast-cxx_${kind} INTERFACE cxx_std_20)
    install(TARGETS lockfast-cxx_${kind} EXPORT lockfast)
  endforeach()
  set_target_properties(lockfast-cxx_shared PROPERTIES EXPORT_NAME cxx)
  set_target_properties(lockfast-cxx_static PROPERTIES EXPORT_NAME cxx_static)
  add_library(lockfast::cxx ALIAS lockfast-cxx_shared)
  add_library(lockfast::cxx_static ALIAS lockfast-cxx_static)
endfunction()

# The functions that the drop-in has in libsodium's place.
set(lockfast_sodium_functions malloc allocarray free mprotect_noaccess mprotect_readonly mprotect_readwrite mlock munlock memzero
                              memcmp stackzero)

# lockfast_sodium_wrap_library(OBJECTS ...): the drop-in for a program that links libsodium.a (docs/sodium.md), in which calls go to
# __wrap_sodium_malloc and so on. lockfast::sodium_wrap is the shared drop-in, which has these names too; lockfast::sodium_wrap_static
# is an archive without the others, of which a linker would take a second definition. Both bring the linker's options, which a file
# has for those who call it by hand.
function(lockfast_sodium_wrap_library)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "" "OBJECTS")
  list(TRANSFORM arg_OBJECTS REPLACE "(.+)" "$<TARGET_OBJECTS:\\1>" OUTPUT_VARIABLE objects)
  list(TRANSFORM lockfast_sodium_functions PREPEND --wrap=sodium_ OUTPUT_VARIABLE lines)
  list(TRANSFORM lines PREPEND LINKER: OUTPUT_VARIABLE options)

  target_sources(lockfast-sodium_shared PRIVATE $<TARGET_OBJECTS:lockfast_sodium_wrap>)
  add_library(lockfast-sodium-wrap_shared INTERFACE)
  target_link_libraries(lockfast-sodium-wrap_shared INTERFACE lockfast-sodium_shared)

  add_library(lockfast-sodium-wrap_static STATIC ${objects})
  set_target_properties(lockfast-sodium-wrap_static PROPERTIES OUTPUT_NAME lockfast-sodium-wrap LINKER_LANGUAGE C)
  lockfast_public_headers(lockfast-sodium-wrap_static)
  lockfast_static_link(lockfast-sodium-wrap_static)

  foreach(kind shared static)
    target_link_options(lockfast-sodium-wrap_${kind} INTERFACE ${options})
  endforeach()
  set_target_properties(lockfast-sodium-wrap_shared PROPERTIES EXPORT_NAME sodium_wrap)
  set_target_properties(lockfast-sodium-wrap_static PROPERTIES EXPORT_NAME sodium_wrap_static)
  add_library(lockfast::sodium_wrap ALIAS lockfast-sodium-wrap_shared)
  add_library(lockfast::sodium_wrap_static ALIAS lockfast-sodium-wrap_static)
  install(TARGETS lockfast-sodium-wrap_shared EXPORT lockfast)
  lockfast_install(lockfast-sodium-wrap_static lockfast runtime development)

  list(JOIN lines "\n" text)
  file(WRITE ${CMAKE_BINARY_DIR}/sodium.wrap "${text}\n")
  install(PROGRAMS ${PROJECT_SOURCE_DIR}/compat/lockfast-served DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
  install(FILES ${CMAKE_BINARY_DIR}/sodium.wrap DESTINATION ${CMAKE_INSTALL_LIBDIR}/lockfast COMPONENT development)
endfunction()

# lockfast_boojum_library(): lockfast::boojum and lockfast::boojum_static, on liblockfast of the same kind and on libcrypto.
# The platform's objects are here a second time, since liblockfast keeps its own to itself.
function(lockfast_boojum_library)
  foreach(kind SHARED STATIC)
    string(TOLOWER ${kind} suffix)
    set(target lockfast-boojum_${suffix})
    add_library(${target} ${kind} $<TARGET_OBJECTS:lockfast_boojum_objects> $<TARGET_OBJECTS:lockfast_cipher>
                $<TARGET_OBJECTS:lockfast_aead> $<TARGET_OBJECTS:lockfast_files> $<TARGET_OBJECTS:lockfast_host>)
    set_target_properties(${target} PROPERTIES OUTPUT_NAME lockfast-boojum LINKER_LANGUAGE CXX)
    target_link_libraries(${target} PUBLIC lockfast_${suffix} PRIVATE OpenSSL::Crypto Threads::Threads ${lockfast_system_libraries}
                          ${lockfast_file_libraries})
    target_compile_features(${target} INTERFACE cxx_std_23)
    target_sources(${target} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${ARGN})
  endforeach()
  # The static one needs OpenSSL's development files of whoever links it, the shared one does not: two exports.
  lockfast_install(lockfast-boojum_shared lockfast-boojum boojum_runtime boojum_development)
  lockfast_install(lockfast-boojum_static lockfast-boojum-static boojum_runtime boojum_development)
  set_target_properties(lockfast-boojum_shared PROPERTIES EXPORT_NAME boojum VERSION ${PROJECT_VERSION}
                        SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  set_target_properties(lockfast-boojum_static PROPERTIES EXPORT_NAME boojum_static)
  lockfast_shared_link(lockfast-boojum_shared)
  if(WIN32)
    lockfast_exports(lockfast-boojum_shared "lockfast_boojum_objects")
  endif()
  add_library(lockfast::boojum ALIAS lockfast-boojum_shared)
  add_library(lockfast::boojum_static ALIAS lockfast-boojum_static)
endfunction()
