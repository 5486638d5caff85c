# TAP for checks that are written in sh. Sourced, never run; needs $said, a file of its own, where a
# check's words are kept until they are needed. Judges nothing itself.
# shellcheck shell=sh disable=SC2154
count=0
failed=0
shows() { # sentence, command...
    count=$((count + 1))
    sentence=$1
    shift
    if "$@" >"$said" 2>&1; then
        printf 'ok %d - %s\n' $count "$sentence"
    else
        printf 'not ok %d - %s\n' $count "$sentence"
        sed 's/^/# /' "$said" | tail -n 10
        [ -z "${answer:-}" ] || printf '# last answer: %s\n' "$answer"
        failed=$((failed + 1))
    fi
}
enough() { # the end of every test
    printf '1..%d\n' $count
    [ $failed = 0 ]
}
not() { ! "$@"; }
exits() { # status, command...
    wanted=$1
    shift
    status=0
    "$@" || status=$?
    [ "$status" = "$wanted" ]
}
