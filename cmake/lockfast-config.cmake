include(${CMAKE_CURRENT_LIST_DIR}/lockfast-targets.cmake)
