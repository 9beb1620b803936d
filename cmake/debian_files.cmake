# What CPack runs between the installation of each component and its package: strips libraries and programs, and writes the
# documents that Debian's policy asks of every package. CPack's variables are there.
# The time is that of the commit: one commit has one changelog, whatever the processor.
execute_process(COMMAND git -C ${CPACK_LOCKFAST_SOURCE} log -1 --format=%cD OUTPUT_VARIABLE date ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
if(NOT date)
  string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
endif()
set(version ${CPACK_DEBIAN_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

foreach(component ${CPACK_COMPONENTS_ALL})
  string(TOUPPER ${component} upper)
  set(root ${CPACK_TEMPORARY_DIRECTORY}/${component})
  set(documents ${root}/usr/share/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
  configure_file(${CPACK_LOCKFAST_SOURCE}/packaging/debian/copyright ${documents}/copyright COPYONLY)
  configure_file(${CPACK_LOCKFAST_SOURCE}/CHANGELOG.md ${documents}/changelog COPYONLY)
  file(WRITE ${documents}/changelog.Debian
       "lockfast (${version}) unstable; urgency=medium\n\n  * Packaged from its own source; changelog.gz has what changed.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  run(gzip -9n ${documents}/changelog ${documents}/changelog.Debian)
  file(CHMOD ${documents}/changelog.gz ${documents}/changelog.Debian.gz PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

  file(GLOB_RECURSE pages ${root}/usr/share/man/*)
  if(pages)
    run(gzip -9n ${pages})
  endif()
  file(GLOB_RECURSE archives ${root}/*.a)
  foreach(archive ${archives})
    run(${CPACK_LOCKFAST_STRIP} --strip-debug --enable-deterministic-archives --remove-section=.comment --remove-section=.note ${archive})
  endforeach()
  file(GLOB_RECURSE programs ${root}/*.so.*.*.* ${root}/usr/bin/lockfast)
  foreach(program ${programs})
    run(${CPACK_LOCKFAST_STRIP} --strip-unneeded --remove-section=.comment --remove-section=.note ${program})
  endforeach()
endforeach()
