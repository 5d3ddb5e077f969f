#!/usr/bin/env bash
# Names what the machine lacks and how to get it. Installs Debian packages itself only as root.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("$2"); }
need git git
need c++ g++
need python3 python3
python3 -m pip --version >/dev/null 2>&1 || missing+=(python3-pip)

if ((${#missing[@]})); then
    install="apt-get install -y ${missing[*]}"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing: ${missing[*]}"
        apt-get update -qq
        $install -qq
    else
        echo "error: this machine lacks: ${missing[*]}" >&2
        echo "hint: sudo $install" >&2
        exit 3
    fi
fi
if ! command -v cargo >/dev/null 2>&1; then
    echo "error: this machine lacks cargo (Rust 1.94 or newer)" >&2
    echo "hint: install Rust with rustup, then open a new shell" >&2
    exit 3
fi
