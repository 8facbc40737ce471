#!/bin/bash
# setup.sh: the Python environment with the pinned peers and the judge of JSON schemas, and rootcanal's loopback shim.
# Prints the environment's folder; everything else goes to stderr. Idempotent; a second run takes no time.
set -euo pipefail

BUMBLE=0.0.236
ROOTCANAL=1.10.0 # the last whose program starts on Debian 12 (glibc 2.36)
JSONSCHEMA=4.26.0

here=$(cd "$(dirname "$0")" && pwd)
python=${BARETOOTH_TEST_PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=$(command -v python3)
tag=$("$python" -c 'import sys; print("py%d.%d" % sys.version_info[:2])')
env=${BARETOOTH_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/baretooth-tests}/peers-$BUMBLE-$ROOTCANAL-$JSONSCHEMA-$tag

retry() {
    local attempt
    for attempt in 1 2 3; do
        "$@" && return
        echo "setup.sh: attempt $attempt failed: $*" >&2
        sleep $((attempt * 2))
    done
    return 1
}

install() {
    rm -rf "$env"
    "$python" -m venv "$env"
    retry "$env/bin/pip" --quiet --disable-pip-version-check install \
        "bumble==$BUMBLE" "rootcanal==$ROOTCANAL" "jsonschema==$JSONSCHEMA"
    program=$("$env/bin/python" -c '
import os, platform, rootcanal
folder = os.path.join(os.path.dirname(rootcanal.__file__), "bin", "linux-" + platform.machine())
print(os.path.join(folder, "rootcanal"))')
    if [ ! -f "$program" ]; then
        echo "setup.sh: rootcanal $ROOTCANAL has no program for $(uname -sm): $program" >&2
        return 1
    fi
    chmod +x "$program"
    ln -sf "$program" "$env/rootcanal"
    gcc -O1 -shared -fPIC -o "$env/bind_loopback.so" "$here/bind_loopback.c" -ldl
    touch "$env/complete"
}

if [ ! -f "$env/complete" ]; then install >&2; fi
echo "$env"
