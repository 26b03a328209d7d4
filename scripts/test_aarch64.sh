#!/usr/bin/env bash
# test_aarch64.sh [TESTS]: cross-compiles tests for aarch64 and runs them under QEMU, in double and in float. It needs
# Debian, and root or sudo: a cross compiler and QEMU are installed on the host. Debian's arm64 packages are not
# installed but unpacked into build/aarch64/root, with a separate package state, so that the host's packages do not
# change.
# GOLDEN: folders of reference cases; without them test_golden is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
tests=${*:-test_core test_tableau test_solve test_adjoint test_ode_block test_learner test_conformance test_golden test_fourier test_small_gemm test_mfcc
    test_alloc_failure}
packages="libc6-dev libopenblas-pthread-dev libcjson-dev libstb-dev zlib1g-dev libcmocka-dev"
triplet=aarch64-linux-gnu
home=$PWD/build/aarch64
root=$home/root lib=$root/usr/lib/$triplet

apt_arm64() {
    apt-get -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$home/apt" \
        -o Dir::State::status="$home/apt/status" -o Dir::Cache="$home/apt" -o APT::Sandbox::User="$(id -un)" \
        -o Debug::NoLocking=1 "$@"
}

unpack() { # download and unpack the packages with their dependencies
    local deb name target
    mkdir -p "$home/apt/lists/partial" "$home/apt/archives/partial" "$root/usr/lib" "$root/usr/bin" "$root/usr/sbin"
    : >"$home/apt/status"
    for name in lib bin sbin; do ln -sfn "usr/$name" "$root/$name"; done
    apt_arm64 update
    # shellcheck disable=SC2086 # a list of words
    apt_arm64 install -y --no-install-recommends --download-only $packages >"$home/apt/log"
    for deb in "$home"/apt/archives/*.deb; do
        dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner
    done
    # Absolute links would lead out of the root: make them start there.
    find "$root" -type l -lname '/*' -printf '%p %l\n' | while read -r name target; do ln -sfn "$root$target" "$name"; done
    # Installing OpenBLAS would have made this link.
    ln -sfn openblas-pthread/libopenblas.so.0 "$lib/libopenblas.so.0"
    touch "$root/unpacked"
}

scripts/setup.sh aarch64
if [ ! -e "$root/unpacked" ]; then
    echo "unpacking arm64 packages in ${root#"$PWD/"}"
    unpack
fi

export PKG_CONFIG_SYSROOT_DIR=$root
export PKG_CONFIG_LIBDIR=$lib/pkgconfig:$lib/openblas-pthread/pkgconfig:$root/usr/share/pkgconfig
programs=()
for precision in double float; do
    out=build/$precision-$triplet-gcc
    built=()
    for test in $tests; do built+=("$out/$test"); done
    make -s "${built[@]}" CC=$triplet-gcc AR=$triplet-ar PRECISION=$precision CFLAGS="--sysroot=$root ${CFLAGS-}"
    programs+=("${built[@]}")
done
unset OPENBLAS_CORETYPE # if set, it names kernels of the host's architecture
GOLDEN=${GOLDEN-../shared/golden} RUNNER="qemu-aarch64-static -L $root" tests/run.sh "${programs[@]}"
