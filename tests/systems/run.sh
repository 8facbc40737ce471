#!/bin/bash
# tests/systems/run.sh: the other systems, as far as one Linux machine can judge them.
#
# Windows, macOS and Android: every feature of the library, the transports and the command line passes the compiler;
# nothing is linked or run. Linux without a C library of its own: the release binary is built static with musl, and run.
# Everything goes below the folder `systems` of the target folder.
set -euo pipefail
cd "$(dirname "$0")/../.."

CHECKED=(x86_64-pc-windows-gnu aarch64-apple-darwin aarch64-linux-android)
STATIC=x86_64-unknown-linux-musl
PACKAGES=(-p baretooth-transports -p baretooth -p baretooth-cli --all-features)

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/target}/systems

main() {
    add_targets
    local target
    for target in "${CHECKED[@]}"; do check "$target"; done
    build_static
    run_static "$CARGO_TARGET_DIR/$STATIC/release/baretooth"
}

add_targets() {
    local installed target missing=()
    if ! command -v rustup >/dev/null; then
        echo "rustup is missing: it brings the standard library of each of ${CHECKED[*]} $STATIC" >&2
        return 1
    fi
    installed=$(rustup target list --installed)
    for target in "${CHECKED[@]}" "$STATIC"; do
        grep -qx "$target" <<<"$installed" || missing+=("$target")
    done
    if [ ${#missing[@]} = 0 ]; then return; fi
    retry rustup target add "${missing[@]}"
}

# The names by which the `cc` crate asks for the C tools of one target have underscores. A warning is an error: code
# that one system leaves unused is cut from the build there.
check() {
    local name=${1//-/_} tool=$PWD/tests/systems/no-compiler
    export "CC_$name=$tool" "AR_$name=$tool" "RANLIB_$name=$tool"
    echo "$1: check"
    RUSTFLAGS='-D warnings' cargo check --quiet --target "$1" "${PACKAGES[@]}"
}

# musl's compiler knows musl's headers alone; libusb needs those of the kernel too, after all others.
build_static() {
    echo "$STATIC: release build"
    export CC_x86_64_unknown_linux_musl=musl-gcc
    export CFLAGS_x86_64_unknown_linux_musl="-idirafter /usr/include -idirafter /usr/include/$(gcc -print-multiarch)"
    cargo build --quiet --release --target "$STATIC" -p baretooth-cli
}

run_static() {
    local program=$1 folder scanned
    if readelf --program-headers --dynamic "$program" | grep -E 'INTERP|NEEDED'; then
        echo "$program needs a loader or a library: it is not static" >&2
        return 1
    fi
    folder=$(mktemp -d)
    (cd "$folder" && "$program" tour >tour.txt) || { cat "$folder/tour.txt" >&2; return 1; }
    scanned=$("$program" --adapter sim --json scan --timeout 2)
    grep -q '"name":"HR strap"' <<<"$scanned" || { echo "scan did not find the HR strap: $scanned" >&2; return 1; }
    "$program" --json adapters | grep -q '"adapter":"sim"'
    echo "$STATIC: $("$program" --version), $(stat --format %s "$program") octets, no loader, no libraries;" \
        "tour: $(grep -c '^✓' "$folder/tour.txt") steps, $(grep '^Every' "$folder/tour.txt")"
    rm -r "$folder"
}

retry() {
    local attempt
    for attempt in 1 2 3; do
        if "$@"; then return; fi
        echo "attempt $attempt failed: $*" >&2
        sleep $((attempt * 3))
    done
    return 1
}

main
