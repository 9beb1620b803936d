# release.sh - scripts/release refuses what is not ready, each time for one reason that it names, and makes the same archive twice.
#
#   release.sh SOURCE       77: git is not there
set -euo pipefail
source=$1
export LC_ALL=C GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
command -v git >/dev/null || { echo 'skipped: git is not installed'; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

fail() {
  echo "failed: $*"
  exit 1
}

# A repository of what the script reads.
ready=$scratch/ready
mkdir "$ready"
(cd "$source" && tar -c CMakeLists.txt CHANGELOG.md README.md SECURITY.md docs/install.md include/lockfast/lockfast.h packaging bindings \
  scripts/release tests/consumer/c/CMakeLists.txt tests/consumer/cxx/CMakeLists.txt) | tar -x -C "$ready"
commit() {
  git -C "$1" add -A
  git -C "$1" -c user.name=a -c user.email=a@b commit -q --date='2026-01-02T03:04:05Z' -m "$2"
}
git -C "$ready" init -q
version=$(sed -nE 's/^project\(lockfast VERSION ([0-9.]+) .*/\1/p' "$source/CMakeLists.txt")
# Made ready: the entries stand under the version, and no text says that there is no release.
sed -i "s/^## \[Unreleased\]/&\n\n## [$version] - 2026-01-02/" "$ready/CHANGELOG.md"
sed -i -E 's/not released yet/released/; s/There is no release yet\.//' "$ready/README.md" "$ready/SECURITY.md"
commit "$ready" ready

# refused REASON VERSION [COMMAND]: after the command, in a copy that is committed, the release is refused with a line that has REASON.
refusals=0
refused() {
  local copy=$scratch/copy
  rm -rf "$copy" "$scratch/out"
  cp -r "$ready" "$copy"
  if [[ -n ${3-} ]]; then
    (cd "$copy" && bash -c "$3")
    [[ -n ${4-} ]] || commit "$copy" changed
  fi
  if "$copy/scripts/release" "$2" "$scratch/out" >"$scratch/said" 2>&1; then fail "released in spite of: $1"; fi
  grep -q "^release: .*$1" "$scratch/said" || { cat "$scratch/said"; fail "another reason than: $1"; }
  ! ls "$scratch"/out/*.tar.gz 2>/dev/null || fail "an archive in spite of: $1"
  refusals=$((refusals + 1))
}

refused 'is no version' 1.0
refused 'is no version' v1.0.0
refused 'is no version' 01.0.0
refused 'CMakeLists.txt does not say' 77.0.0
refused 'not committed' "$version" 'echo >>README.md' uncommitted
refused 'lockfast.h does not say' "$version" 'sed -i "s/VERSION \".*\"/VERSION \"9.9.9\"/" include/lockfast/lockfast.h'
refused 'the three numbers' "$version" 'sed -i "s/VERSION_PATCH .*/VERSION_PATCH 9/" include/lockfast/lockfast.h'
refused 'vcpkg.json does not say' "$version" 'sed -i "s/\"version\": .*/\"version\": \"9.9.9\",/" packaging/vcpkg/vcpkg.json'
refused 'conanfile.py does not say' "$version" 'sed -i "s/version = .*/version = \"9.9.9\"/" packaging/conan/conanfile.py'
refused 'lockfast.py does not say' "$version" 'sed -i "s/^__version__ = .*/__version__ = \"9.9.9\"/" bindings/python/lockfast.py'
refused 'lockfast.py does not say' "$version" 'sed -i "s/liblockfast.so.[0-9.]*/liblockfast.so.9.9/" bindings/python/lockfast.py'
refused 'install.md does not say' "$version" 'sed -i "s/find_package(lockfast [0-9.]*/find_package(lockfast 9.9/" docs/install.md'
refused 'the newest section' "$version" "sed -i '/^## \[$version\]/d' CHANGELOG.md"
refused 'the newest section' "$version" 'sed -i "s/^## \[Unreleased\]/&\n\n## [9.9.9] - 2026-01-02/" CHANGELOG.md'
refused '1 entries stand' "$version" 'sed -i "s/^## \[Unreleased\]/&\n\n* One more./" CHANGELOG.md'
refused 'SECURITY.md says that there is no release' "$version" 'echo There is no release yet. >>SECURITY.md'
echo "refused: $refusals"

# The same commit in another folder, under another umask.
git clone -q "$ready" "$scratch/clone"
chmod -R go-rwx "$scratch/clone"
"$ready/scripts/release" "$version" "$scratch/first" >/dev/null
(umask 077 && "$scratch/clone/scripts/release" "$version" >/dev/null)
name=lockfast-$version.tar.gz
cmp "$scratch/first/$name" "$scratch/clone/build/archives/$name" || fail "two archives of one commit differ"
(cd "$scratch/first" && sha256sum --quiet -c "$name.sha256") || fail "the sum is not the archive's"
tar -xzf "$scratch/first/$name" -C "$scratch" && cmp "$scratch/lockfast-$version/README.md" "$ready/README.md" || fail "the archive"
[[ $(tar -tvzf "$scratch/first/$name" | awk '{print $2}' | sort -u) == root/root ]] || fail "the archive names its maker"
echo "one archive, twice: $(cut -c 1-16 "$scratch/first/$name.sha256")"
