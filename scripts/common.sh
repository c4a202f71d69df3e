# What the scripts of this folder share; to be sourced.
# shellcheck shell=bash

say() {
    printf '── %s\n' "$*"
}

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Runs a command whose output matters only where it fails: quietly "What it does" COMMAND ARGUMENT…
quietly() {
    local what=$1 output
    shift
    say "$what"
    output=$(mktemp)
    if ! "$@" > "$output" 2>&1; then
        cat "$output" >&2
        rm -f "$output"
        die "Failed: $what"
    fi
    rm -f "$output"
}

# Installs the Debian packages that are named, if any.
install_packages() {
    [[ $# -gt 0 ]] || return 0
    command -v apt-get > /dev/null || die "These Debian packages are missing, and there is no apt-get: $*"
    local as_root=()
    if [[ $EUID -ne 0 ]]; then
        command -v sudo > /dev/null || die "Neither root nor sudo. As root: apt-get install --no-install-recommends $*"
        as_root=(sudo)
    fi
    quietly "Reading the package lists" "${as_root[@]}" apt-get update
    quietly "Installing $*" "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install --yes --no-install-recommends "$@"
}

# Reads lines of `program package`, and names the packages whose program is not there.
packages_without_program() {
    local program package
    while read -r program package; do
        command -v "$program" > /dev/null || echo "$package"
    done
}

# Waits for a line of a file, and prints what its pattern captures: wait_for FILE PATTERN
wait_for() {
    local found
    for _ in $(seq 100); do
        found=$(sed -nE "s|$2|\\1|p" "$1" 2> /dev/null | head -n 1)
        [[ -z $found ]] || { echo "$found"; return; }
        sleep 0.1
    done
    die "Waited in vain for $2 in $1"
}
