#!/usr/bin/env bash
# Installs dfr-daemon as a service, or brings what is installed up to date. Says what it does;
# what is as it should be is left alone. Never touches a key, a setting or a session that is there.
set -euo pipefail

usage() {
    cat <<'TEXT'
deploy/install.sh [--root DIR] [--from DIR] [--dry-run] [--uninstall]
  --root DIR   install below DIR: for packages and images
  --from DIR   where dfr-daemon and dfr are [default: target/release of this clone]
  --dry-run    say what would be done
  --uninstall  remove programs and unit; settings, key, sessions and the user stay
TEXT
}

deploy=$(cd "$(dirname "$0")" && pwd)
from=$deploy/../target/release
root='' dry='' uninstall=''
programs=/usr/local/bin
unit=/etc/systemd/system/dfr-daemon@.service
settings=/etc/dfr
home=/var/lib/dfr
doc=/usr/local/share/doc/dfr

fail() { printf 'error: %s\nhint: %s\n' "$1" "$2" >&2; exit "$3"; }

parse() {
    while (($#)); do
        case $1 in
        --root) root=${2:?--root needs a directory}; shift ;;
        --from) from=${2:?--from needs a directory}; shift ;;
        --dry-run) dry=1 ;;
        --uninstall) uninstall=1 ;;
        -h | --help) usage; exit 0 ;;
        *) fail "unknown argument $1" "deploy/install.sh --help" 2 ;;
        esac
        shift
    done
    root=${root%/}
}

# do_it WHAT COMMAND…: says it, and does it unless it is only to be said.
do_it() {
    echo "${dry:+would }$1"
    shift
    [ -n "$dry" ] || "$@"
}

# owner NAME: its user and group ids in the root; nothing where it is not known there.
owner() { awk -F: -v name="$1" '$1 == name { print $3 ":" $4 }' "$root/etc/passwd" 2>/dev/null || true; }

# own OWNER GROUP-OF PATH: only root can give things away.
own() {
    local user group
    user=$(owner "$1") group=$(owner "$2")
    if [ "$(id -u)" = 0 ] && [ -n "$user" ] && [ -n "$group" ]; then
        chown -h "${user%:*}:${group#*:}" "$root$3"
    fi
}

user() {
    [ -z "$(owner dfr)" ] || return 0
    if [ ! -e "$root/etc/passwd" ]; then
        echo "no /etc/passwd in $root: the package makes the user dfr (system, home $home)"
        return
    fi
    do_it "make the user dfr" useradd ${root:+--prefix "$root"} --system --user-group \
        --home-dir "$home" --no-create-home --shell /usr/sbin/nologin dfr
}

# directory MODE OWNER GROUP-OF PATH
directory() {
    [ "$(stat -c %a "$root$4" 2>/dev/null)" = "$1" ] ||
        do_it "make the directory $4" install -d -m "$1" "$root$4"
    [ -n "$dry" ] || own "$2" "$3" "$4"
}

# put MODE FILE PATH: whole or not at all, also while the old one runs.
put() {
    if cmp -s "$2" "$root$3" && [ "$(stat -c %a "$root$3")" = "${1#0}" ]; then return; fi
    do_it "install $3" replace "$@"
}

replace() {
    install -D -m "$1" "$2" "$root$3.new"
    mv -f "$root$3.new" "$root$3"
}

# seed MODE FILE PATH: once; from then on it is the user's.
seed() { [ -e "$root$3" ] || put "$@"; }

reload() {
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then
        do_it "reload the service manager" systemctl daemon-reload
    fi
}

install_all() {
    for program in dfr-daemon dfr; do
        [ -x "$from/$program" ] || fail "no program $from/$program" "make build, or --from DIR" 3
    done
    user
    directory 750 root dfr "$settings"
    for below in "" /state /cache; do directory 750 dfr dfr "$home$below"; done
    for program in dfr-daemon dfr; do put 0755 "$from/$program" "$programs/$program"; done
    put 0755 "$deploy/dfr-session" "$programs/dfr-session"
    put 0644 "$deploy/dfr-daemon@.service" "$unit"
    put 0644 "$deploy/README.md" "$doc/README.md"
    put 0644 "$deploy/session.env.example" "$settings/session.env.example"
    seed 0600 "$deploy/openai_api_key.example" "$settings/openai_api_key"
    reload
    echo "${dry:+dry run: nothing was done; }next: $doc/README.md"
}

uninstall_all() {
    if [ -z "$root" ] && [ -d /run/systemd/system ]; then
        do_it "stop all sessions" systemctl stop 'dfr-daemon@*.service'
    fi
    for path in "$programs"/{dfr-daemon,dfr,dfr-session} "$unit" "$doc" "$settings/session.env.example"; do
        [ ! -e "$root$path" ] || do_it "remove $path" rm -r "$root$path"
    done
    reload
    echo "kept: $settings, $home and the user dfr"
}

parse "$@"
if [ -z "$root$dry" ] && [ "$(id -u)" != 0 ]; then
    fail "only root can install here" "sudo deploy/install.sh, or --root DIR" 3
fi
if [ -n "$uninstall" ]; then uninstall_all; else install_all; fi
