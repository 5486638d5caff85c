#!/bin/sh
# Each line of models.txt is what it says: spin looks at every state. models.sh [PATTERN]
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
said=$work/said
. "$here/../tap.sh"

looked() { # model, flags: into $work/found
    rm -rf "$work/model"
    mkdir "$work/model"
    cp "$here/$1" "$work/model/model.pml"
    (
        cd "$work/model"
        # shellcheck disable=SC2086
        spin -a $2 model.pml
        cc -O2 -DSAFETY -DNOCLAIM -DCOLLAPSE -DMEMLIM=3000 -o pan pan.c
        ./pan -m3000000
    ) >"$work/found" 2>&1
}
is() { # what is wanted, model, flags
    looked "$2" "$3" || { cat "$work/found" && return 1; }
    grep -E 'errors:|states, stored|pan:' "$work/found"
    ! grep -Eq 'too small|out of memory|pan:1: invalid' "$work/found" || return 1
    case $1 in
    clean) grep -q 'errors: 0$' "$work/found" ;;
    fails) grep -q 'assertion violated' "$work/found" ;;
    *) false ;;
    esac
}
while IFS='|' read -r model flags wanted what; do
    wanted=$(printf '%s' "$wanted" | tr -d ' ')
    shows "${model% }$flags$wanted:$what" is "$wanted" "${model% }" "$flags"
done <<MODELS
$(grep -v '^#' "$here/models.txt" | grep -e "${1:-.}")
MODELS
enough
