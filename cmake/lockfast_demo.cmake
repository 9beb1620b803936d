# The target lockfast_demo: what scripts/demo shows, of what this machine can build.
set(shown lockfast-sodium_shared lockfast_command served overflow snapshot pair_bench access_bench footprint_bench
    grouped_pair_bench million_bench boojum_bench)
add_custom_target(lockfast_demo)
foreach(target ${shown})
  if(TARGET ${target})
    add_dependencies(lockfast_demo ${target})
  endif()
endforeach()
