# source.sh - a project that has Lockfast's source in it builds and runs, by add_subdirectory and by FetchContent; its installation
# has no document of ours.
#
#   source.sh SOURCE CC CXX GENERATOR      SOURCE is Lockfast's folder; GENERATOR is CMake's
set -euo pipefail
source=$1
export CC=$2 CXX=$3 CMAKE_GENERATOR=$4
unset CFLAGS CXXFLAGS LDFLAGS LD_LIBRARY_PATH LOCKFAST_OPTIONS
folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for way in add_subdirectory FetchContent; do
  echo "By $way"
  cmake -S "$folder/source" -B "$scratch/build" -DBY=$way -DLOCKFAST_SOURCE="$source"
  cmake --build "$scratch/build" --parallel 2 --target native native_static
  ctest --test-dir "$scratch/build" --output-on-failure --no-tests=error
done
if ctest --test-dir "$scratch/build" -N | grep -q layers; then
  echo "failed: the project has Lockfast's own tests"
  exit 1
fi
if grep -rq --include=cmake_install.cmake 'README.md' "$scratch/build"; then
  echo "failed: the project installs Lockfast's documents"
  exit 1
fi
