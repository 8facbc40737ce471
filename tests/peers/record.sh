#!/bin/bash
# record.sh [-k WORD]: records the captures of captures/ anew, those of the peers and those of the virtual radio, and
# the text of all of them. What changes is for a reviewer to judge: git diff captures/*.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."

environment=$(tests/peers/setup.sh)
cargo build --release -p baretooth-cli
target=$(cargo metadata --no-deps --format-version 1 |
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
"$environment/bin/python" -B tests/peers/record.py --cli "$target/release/baretooth" "$@"
BARETOOTH_RECORD=1 cargo test --test golden
