#!/usr/bin/env bash
# fresh.sh [VARIABLE=VALUE ...] [STEP ...]: tests the commands of the README in a newly installed Debian system.
# debootstrap makes the system's root in a new folder, HEAD is cloned into it, and the steps run there by chroot
# (default: all):
#   demo     make demo
#   test     make test
#   install  make install, then programs compiled with pkg-config against the installed libraries, shared and static
# The environment of the steps has the given variables and the address of a proxy, nothing else. Prints the seconds of
# each step and "N passed, N failed". Exits with 77 and a reason if no root can be made: that needs the rights of root,
# mount namespaces, debootstrap and a mirror. The mirror is MIRROR or, by default, the first one of apt's sources on
# this machine.
# SUITE: Debian's release (default: bookworm). TMPDIR: where the root is made (default: /var/tmp); it takes 2 GB.
# KEEP=1: keep it.
set -u
export LC_ALL=C # numbers have a point, messages are in English
cd "$(dirname "$0")/.." || exit 1
suite=${SUITE:-bookworm}
variables=() steps=()
for argument in "$@"; do
    case $argument in
    *=*) variables+=("$argument") ;;
    demo | test | install) steps+=("$argument") ;;
    *) echo "usage: scripts/fresh.sh [VARIABLE=VALUE ...] [demo] [test] [install]" >&2 && exit 2 ;;
    esac
done
[ ${#steps[@]} -gt 0 ] || steps=(demo test install)
for name in http_proxy https_proxy no_proxy; do [ -z "${!name-}" ] || variables+=("$name=${!name}"); done

skip() {
    printf 'skipped: no fresh Debian root can be made here: %s\n' "$*"
    exit 77
}
[ "$(id -u)" -eq 0 ] || skip "the rights of root are needed"
unshare --mount --pid --fork true 2>/dev/null || skip "mount namespaces are not available"
command -v debootstrap >/dev/null || {
    apt-get update -qq && apt-get install -y -qq --no-install-recommends debootstrap
} >/dev/null 2>&1 || skip "debootstrap cannot be installed"
# shellcheck disable=SC2016 # apt's own parameter
mirror=${MIRROR-$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' "Release: $suite" 'Component: main' 2>/dev/null | head -n 1)}
[ -n "$mirror" ] || skip "apt has no source for $suite; set MIRROR"

folder=$(mktemp -d "${TMPDIR:-/var/tmp}/costate-fresh.XXXXXX") || exit 1
root=$folder/root
# All mounts are in namespaces that end with their commands. If a mount remains nevertheless, do not delete anything
# below it.
leave() {
    if [ -n "${KEEP-}" ]; then
        echo "the root is in $root"
    elif grep -qF " $folder/" /proc/self/mountinfo; then
        echo "not removed: something is mounted below $folder" >&2
    else
        rm -rf --one-file-system "$folder"
    fi
}
trap leave EXIT
trap 'exit 1' HUP INT TERM

passed=0 failed=0
step() { # name, command: run it and print its time; show its output only if it fails
    local start=$EPOCHREALTIME code tenths
    "${@:2}" >"$folder/log" 2>&1 </dev/null
    code=$?
    tenths=$(((${EPOCHREALTIME/./} - ${start/./}) / 100000))
    if [ $code -eq 0 ]; then
        passed=$((passed + 1))
        sed -nE 's/^[0-9]+ passed, [0-9]+ failed.*/    &/p' "$folder/log" | tail -n 1
    else
        failed=$((failed + 1))
        sed -E '/^  (cc|ar|ld) /d; s/^/    /' "$folder/log"
    fi
    printf '%-34s %-6s %4d.%d s\n' "$1" "$([ $code -eq 0 ] && echo passed || echo FAILED)" $((tenths / 10)) $((tenths % 10))
    return $code
}
inside() { # command and arguments: run it in the new system, in the folder of the clone. The root is made a mount point, as usual.
    # shellcheck disable=SC2016 # the inner shell's own parameters
    unshare --mount --pid --fork --kill-child sh -c \
        'mount --bind "$1" "$1" && mount -t proc proc "$1/proc" && mount -t tmpfs shm "$1/dev/shm" && exec chroot "$@"' sh "$root" \
        /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        "${variables[@]}" sh -c 'cd /root/costate && exec "$@"' sh "$@"
}

# ---- the root ----
bootstrap() {
    unshare --mount --pid --fork --kill-child debootstrap --variant=minbase --include=make,git,gcc,libc6-dev,ca-certificates \
        "$suite" "$root" "$mirror"
}
step "a root of $suite" bootstrap || skip "debootstrap failed"
# The mirror is reached as from this machine: copy apt's settings with the files they name, names of hosts, and
# certificates.
apt-config dump Acquire >"$root/etc/apt/apt.conf.d/10acquire"
for file in /etc/apt/auth.conf /etc/apt/auth.conf.d /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt \
    $(sed -nE 's/.*::(CaInfo|SslCert|SslKey) "(\/.*)";/\2/p' "$root/etc/apt/apt.conf.d/10acquire"); do
    if [ -d "$file" ]; then cp -rL "$file/." "$root$file"; elif [ -e "$file" ]; then install -D "$file" "$root$file"; fi
done
[ -z "$(git status --porcelain)" ] || echo "changes that are not committed are not tested"
git clone --quiet . "$root/root/costate" || exit 1

# ---- the steps ----
install_and_use() {
    step "make install" inside make install || return
    local example cc="cc -std=c11 -o /tmp/program"
    for example in custom_model solve; do
        step "$example, shared" inside sh -c "$cc examples/$example.c \$(pkg-config --cflags --libs costate) && /tmp/program &&
            readelf -d /tmp/program | grep -q 'NEEDED.*libcostate'"
        step "$example, static" inside sh -c "$cc examples/$example.c \$(pkg-config --cflags --static --libs costate |
            sed -E 's/-l(costate\S*)/-l:lib\1.a/') && /tmp/program && ! readelf -d /tmp/program | grep -q 'NEEDED.*libcostate'"
    done
}
for name in "${steps[@]}"; do
    case $name in
    install) install_and_use ;;
    *) step "make $name" inside make "$name" ;;
    esac
done
printf '\n%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ]
