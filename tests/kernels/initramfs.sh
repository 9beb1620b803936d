# initramfs.sh - the file system that a machine of scripts/test-kernels or scripts/test-residue has in its memory. Sourced by them.
#
#   initramfs BUSYBOX BUILD FILE LIBRARIES...   packs busybox, init, the suites of a build folder, at the paths that they have
#                                               here, and the libraries that they need, which are sought in folders

# The libraries that a file needs, by name.
needed_by() { readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; }

# Copies what a program needs, and what that needs: from the build folder to the same path, from elsewhere to /lib.
copy_libraries() {
  local root=$1 build=$2 file=$3 name folder
  shift 3
  for name in $(needed_by "$file"); do
    if [[ -e $build/$name ]]; then
      [[ -e $root$build/$name ]] || cp --parents "$build/$name" "$root"
      copy_libraries "$root" "$build" "$build/$name" "$@"
      continue
    fi
    [[ ! -e $root/lib/$name ]] || continue
    for folder; do
      [[ ! -e $folder/$name ]] || break
    done
    cp "$folder/$name" "$root/lib/$name" || fail "$file needs $name, which is in none of $*"
    copy_libraries "$root" "$build" "$folder/$name" "$@"
  done
}

# A root folder that has busybox and an init.
begin_root() {
  local root=$1 busybox=$2 init=$3
  rm -rf "$root"
  mkdir -p "$root"/{bin,dev,lib,proc,sys,tmp}
  chmod 755 "$root"
  cp "$busybox" "$root/bin/busybox"
  cp "$init" "$root/init"
}

# Puts a program of the build folder there, with what it needs; or a library that is preloaded, which has no interpreter.
add_program() {
  local root=$1 build=$2 program=$3 interpreter
  shift 3
  cp --parents "$program" "$root"
  copy_libraries "$root" "$build" "$program" "$@"
  interpreter=$(readelf -lW "$program" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
  [[ -n $interpreter ]] || return 0
  mkdir -p "$root$(dirname "$interpreter")"
  [[ -L $root$interpreter ]] || ln -s "/lib/$(basename "$interpreter")" "$root$interpreter"
}

# Packs the folder into a file, and removes it.
finish_root() {
  local root=$1 file=$2
  (cd "$root" && find . -print0 | cpio --quiet --null -o -H newc -R 0:0) >"$file"
  rm -rf "$root"
}

initramfs() {
  local busybox=$1 build=$2 file=$3 root=$3.root program
  shift 3
  begin_root "$root" "$busybox" tests/kernels/init
  {
    echo "$build/tests/kernels/kernel_facts"
    ctest --test-dir "$build" --show-only=json-v1 -R "$suites" | python3 tests/kernels/suites.py "$build"
  } >"$root/suites"
  for program in $(grep -oE "[^ =:]*$build/[^ ']+" "$root/suites" | sort -u); do
    add_program "$root" "$build" "$program" "$@"
  done
  finish_root "$root" "$file"
}
