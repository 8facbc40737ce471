#!/bin/bash
# rootcanal.sh HCI_PORT TEST_PORT LINK_PORT LE_LINK_PORT: rootcanal on loopback.
# Every connection to HCI_PORT is a new controller; all are on one air.
set -euo pipefail
env=$("$(dirname "$0")/setup.sh")
exec env LD_PRELOAD="$env/bind_loopback.so" "$env/rootcanal" \
    -hci_port "$1" -test_port "$2" -link_port "$3" -link_ble_port "$4"
