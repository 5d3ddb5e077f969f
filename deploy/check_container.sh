#!/usr/bin/env bash
# Runs the steps of the Containerfile in Debian roots made by mmdebstrap, where no container engine
# is at hand: FROM, ARG, ENV, WORKDIR, COPY, RUN and USER, each as it stands. Ends with the daemon's
# --version and --help, run in the last root by the user of the image.
#   deploy/check_container.sh [DIRECTORY]     needs root, some minutes and 8 GB; DIRECTORY is kept
# Lent by this machine, so that nothing but Debian packages is fetched again: its cargo registry
# (`cargo fetch --locked` fills it), and its toolchain where it is the pinned one.
set -euo pipefail

deploy=$(cd "$(dirname "$0")" && pwd)
source=$(dirname "$deploy")
file=$deploy/Containerfile
if (($#)); then
    work=$1
    mkdir -p "$work"
else
    work=$(mktemp -d)
    trap 'rm -rf --one-file-system "$work"' EXIT
fi
stage='' user=root directory=/ home=/root
declare -A variables=()

fail() { echo "error: $1" >&2; exit "${2:-1}"; }
[ "$(id -u)" = 0 ] || fail "only root can make a root" 3
command -v mmdebstrap >/dev/null || fail "no mmdebstrap here: apt-get install mmdebstrap" 3

# Where this machine gets its Debian packages from.
# shellcheck disable=SC2016
mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' |
        head -n 1
}

# The toolchain of this machine and the name that rustup would give it; nothing where it is another.
toolchain() {
    local version host
    version=$(rustc --version | cut -d ' ' -f 2)
    host=$(rustc --version --verbose | sed -n 's/^host: //p')
    [ "$version" != "${variables[RUST]:-}" ] || echo "$(rustc --print sysroot) /opt/rust/toolchains/$version-$host"
}

# The words of a step, with the variables of the file put in.
expand() {
    local text=$1 name
    for name in "${!variables[@]}"; do
        text=${text//\$\{$name\}/${variables[$name]}}
        text=${text//\$$name/${variables[$name]}}
    done
    printf '%s' "$text"
}

# inside COMMAND: in the root of this stage, as the user of this step. What is mounted for it is
# mounted in a namespace of its own and goes with it.
# shellcheck disable=SC2016
inside() {
    local environment=(HOME="$home" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
    for name in "${!variables[@]}"; do environment+=("$name=${variables[$name]}"); done
    LENT=$(toolchain) ROOT=$work/$stage WHERE=$directory WHO=$user COMMAND=$1 unshare --mount --propagation private \
        bash -euc '
        lend() { [ ! -e "$1" ] || { mkdir -p "$ROOT$2" && mount --bind -o "${3:-ro}" "$1" "$ROOT$2"; }; }
        mount -t proc proc "$ROOT/proc"
        mount --rbind /dev "$ROOT/dev"
        touch "$ROOT/etc/resolv.conf" && mount --bind -o ro /etc/resolv.conf "$ROOT/etc/resolv.conf"
        lend "${CARGO_HOME:-$HOME/.cargo}/registry" /root/.cargo/registry rw
        [ -z "$LENT" ] || lend $LENT
        exec env -i "$@" chroot --userspec="$WHO:$WHO" "$ROOT" \
            /bin/sh -c "cd \"\$1\" && eval \"\$2\"" sh "$WHERE" "$COMMAND"
        ' bash "${environment[@]}"
}

# FROM IMAGE [AS NAME]: an earlier stage, or Debian.
from() {
    local image=$1 base
    stage=${3:-last} user=root directory=/
    if [ -d "$work/$image" ]; then
        cp -a "$work/$image" "$work/$stage"
        return
    fi
    base=${image#debian:}
    [ "$base" != "$image" ] || fail "FROM $image: neither a stage nor Debian"
    mmdebstrap --quiet --variant=minbase "${base%-slim}" "$work/$stage" "$(mirror)"
}

# COPY [--from=STAGE] FILE… PLACE; of the sources what git knows.
copy() {
    local origin='' place=${*: -1}
    if [ "${1#--from=}" != "$1" ]; then
        origin=$work/${1#--from=}
        shift
        set -- "${@:1:$#-1}"
        install -m 0755 -t "$work/$stage$place" "${@/#/$origin}"
        return
    fi
    [ "$*" = ". ." ] || fail "COPY $*: only all of the sources"
    mkdir -p "$work/$stage$directory"
    git -C "$source" ls-files -z | tar -C "$source" --null -T - -c | tar -x --no-same-owner -C "$work/$stage$directory"
}

variable() { variables[${1%%=*}]=$(expand "${1#*=}"); }

step() {
    local word=$1 rest=$2 words
    read -ra words <<<"$rest"
    printf '%(%H:%M:%S)T %s\n' -1 "$word $rest"
    case $word in
    FROM) from "${words[@]}" ;;
    ARG | ENV) variable "$rest" ;;
    WORKDIR) directory=$rest; mkdir -p "$work/$stage$rest" ;;
    COPY) copy "${words[@]}" ;;
    RUN) inside "$(expand "$rest")" ;;
    USER) user=$rest; home=${variables[HOME]:-/root} ;;
    VOLUME | STOPSIGNAL | CMD) echo "         (nothing to run)" ;;
    ENTRYPOINT) entry=$(tr -d '[]", ' <<<"$rest") ;;
    *) fail "what is $word?" ;;
    esac
}

entry=''
while IFS= read -r line; do
    step "${line%% *}" "${line#* }" </dev/null
done < <(sed -e '/^#/d' -e '/^$/d' "$file" | sed -e ':a' -e '/\\$/N; s/\\\n *//; ta')

[ "$user" != root ] || fail "the image runs as root"
echo "--- as $(inside 'id -un'): $entry --version"
inside "$entry --version"
echo "--- as $(inside 'id -un'): $entry --help"
inside "$entry --help"
echo "--- what a candidate is built with: $(inside 'cargo --version && c++ --version | head -n 1')"
inside 'touch state/written cache/written' && echo "--- state and cache can be written"
if inside 'touch /usr/local/bin/written' 2>/dev/null; then fail "$user can write programs"; fi
echo "every step of the Containerfile ran"
