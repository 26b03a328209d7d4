#!/usr/bin/env bash
# setup.sh: installs the system packages that are missing. It prints nothing if there is none.
# setup.sh dev: also those for `make check`, `make lint` and builds with clang.
# setup.sh aarch64: only those that scripts/test_aarch64.sh needs on the host.
# It installs on Debian and its derivatives, as root or with sudo. On other systems it lists what is missing.
set -eu
packages="gcc libc6-dev make pkg-config libopenblas-dev libcjson-dev libstb-dev zlib1g-dev libcmocka-dev gnuplot-nox dataset-fashion-mnist"
[ "${1-}" = dev ] && packages="$packages g++ clang clang-format clang-tidy cppcheck"
[ "${1-}" = aarch64 ] && packages="make pkg-config gcc-aarch64-linux-gnu qemu-user-static"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    missing=
    command -v cc >/dev/null || missing="$missing a C11 compiler,"
    for package in openblas libcjson stb zlib cmocka; do
        pkg-config --exists "$package" 2>/dev/null || missing="$missing $package,"
    done
    [ -z "$missing" ] && exit 0
    echo "This is not a Debian system. Please install these packages such that pkg-config finds them:${missing%,}." >&2
    exit 1
fi

missing=
for package in $packages; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "Packages are missing, and installing them needs root or sudo. Please run as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "installing$missing"
install_missing() {
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1
}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The first attempt fails if package lists are missing or old: update them and try again.
if ! install_missing; then
    $as_root apt-get update -qq >/dev/null 2>&1 || true
    if ! install_missing; then
        cat "$log" >&2
        echo "Could not install$missing" >&2
        exit 1
    fi
fi
