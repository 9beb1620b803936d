# packages.sh - Debian packages of any suite and architecture, to unpack and not to install. Sourced by scripts/test-kernels and
# scripts/test-residue.
#
#   learn SUITE ARCHITECTURE                   has apt fetch the suite's signed index
#   newest_kernel SUITE ARCHITECTURE FLAVOUR SERIES
#                                              prints the package that has the newest kernel of a series, or of all
#   version_of SUITE ARCHITECTURE PACKAGE      prints its version
#   unpack SUITE ARCHITECTURE PACKAGE          fetches it, unless it is here, checks it against the index, and prints the folder
#                                              that it lies in

# Runs a program of apt that knows one suite and one architecture, and keeps what it knows in a folder of its own.
apt_of() {
  local state=$work/apt/$1-$2 architecture=$2 program=$3
  shift 3
  "$program" -o APT::Architecture="$architecture" -o APT::Architectures="$architecture" -o APT::Sandbox::User= \
    -o Dir::Etc::sourcelist="$state/sources" -o Dir::Etc::sourceparts=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
    -o Dir::State="$state" -o Dir::State::status="$state/status" -o Dir::Cache="$state" -o Acquire::Languages=none "$@"
}

# From the servers that this machine has its own packages from.
learn() {
  local suite=$1 architecture=$2 state=$work/apt/$1-$2 label=Debian server
  [[ $suite != *-security ]] || label=Debian-Security
  server=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Label: $label" | head -n 1)
  [[ -n $server ]] || fail "this machine's apt knows no server of $label"
  mkdir -p "$state/lists/partial" "$state/archives/partial"
  : >"$state/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $server $suite main" >"$state/sources"
  quietly apt_of "$suite" "$architecture" apt-get update
}

# In newer suites the kernel is in linux-binary, and linux-image only depends on it.
newest_kernel() {
  local series=${4//./\\.}
  [[ $series != newest ]] || series='[0-9]+\.[0-9]+'
  apt_of "$1" "$2" apt-cache dumpavail | awk '/^Package:/ {name = $2} /^Version:/ {print $2, name}' |
    grep -E " linux-(image|binary|binary-unsigned)-$series\.[^ ]*-$3\$" | sort -V |
    awk '$1 != version || $2 ~ /^linux-binary/ {version = $1; name = $2} END {print name}'
}

record_of() { apt_of "$1" "$2" apt-cache show --no-all-versions "$3"; }

version_of() { record_of "$@" | sed -n 's/^Version: //p'; }

unpack() {
  local sum folder
  sum=$(record_of "$@" | sed -n 's/^SHA256: //p')
  [[ ${#sum} -eq 64 ]] || fail "$1 has no $3 for $2"
  folder=$work/packages/$3-${sum:0:16}
  if [[ ! -d $folder ]]; then
    rm -rf "$folder.part"
    mkdir -p "$folder.part"
    (cd "$folder.part" && quietly apt_of "$1" "$2" apt-get download "$3")
    sha256sum --check --quiet <<<"$sum  $(echo "$folder.part"/*.deb)" || fail "$3 is not what the index of $1 says"
    dpkg-deb -x "$folder.part"/*.deb "$folder.part"
    rm "$folder.part"/*.deb
    mv "$folder.part" "$folder"
  fi
  echo "$folder"
}
