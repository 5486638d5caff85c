#!/bin/sh
# Brings the lab cloud up from nothing and runs its main job.
#   up.sh [--once|--keep] [--nodes N] [--controllers N]
# On a terminal it stays until Ctrl-C and then removes everything it made; without one, or with
# --once, it tears down at once; with --keep it leaves the lab running. Exit: 0 done, 1 failed,
# 7 something that must hold did not.
#
# The happy path: packages → build → programs and guest → networks → machines → cell → main job →
# at most twenty closing lines. What can go wrong: any step fails → its output is shown, the end of
# the machines' logs too, and everything is removed (kept with --keep, to be looked at).
set -eu
. "$(dirname -- "$0")/lib.sh"
here=$root/deploy/lab

mode=stay
nodes=3
controllers=3
[ -t 0 ] || mode=once
usage='usage: ./lab up [--once|--keep] [--nodes N] [--controllers N]'
while [ $# -gt 0 ]; do
    case $1 in
    --nodes | --controllers) [ $# -gt 1 ] || fail "$1 needs a number; $usage" ;;
    esac
    case $1 in
    --once) mode=once && shift ;;
    --keep) mode=keep && shift ;;
    --nodes) nodes=$2 && shift 2 ;;
    --controllers) controllers=$2 && shift 2 ;;
    -h | --help) say "$usage" && exit 0 ;;
    *) fail "there is no option $1; $usage" ;;
    esac
done
case $nodes in [1-9]) ;; *) fail '--nodes takes 1 to 9' ;; esac
case $controllers in [1-7]) ;; *) fail '--controllers takes 1 to 7' ;; esac
need_root

# Two at once would remove each other's machines. What outlives this script does not get the lock.
mkdir -p /run/lock
exec 9>"/run/lock/udatsu-lab-$label"
flock -n 9 || fail "another ./lab up of lab $label is under way; wait for it, or end it (Ctrl-C there)"

step() { say "== $*"; }

step 'packages'
"$root/deploy/install.sh" # First: what this machine offers is asked with some of them.
"$here/doctor.sh"
step 'build'
"$here/build.sh" build 9>&-
for program in parent link keys setup api engine agent host lab-init; do
    [ -n "$(find build/ -name "udatsu-$program" -type f -perm -u+x | head -n 1)" ] ||
        fail "the build has no udatsu-$program; docs/STATE.md says what is there"
done

# From here on something exists that must be removed again.
[ -z "$(machines)" ] || say "lab $label, which was kept, is removed first"
"$here/down.sh"
finish() {
    status=$?
    trap - EXIT
    if [ $status != 0 ]; then
        "$here/logs.sh" 15 >&2 || true
    fi
    if [ $mode = keep ]; then
        [ $status = 0 ] || say 'kept as it is; ./lab down removes it'
    else
        "$here/down.sh" || status=1
    fi
    exit $status
}
trap finish EXIT
trap 'exit 1' HUP INT TERM

step 'guest images'
"$here/guest/make.sh" build/guest
"$here/programs.sh" build
step "$controllers controllers and $nodes nodes, each a machine of its own"
"$here/net.sh" 9>&-
"$here/cluster.sh" "$controllers" "$nodes" 9>&-
step 'the main job'
job=0
"$here/job.sh" "$nodes" 9>&- || job=$?
[ $job = 0 ] || exit $job

cat <<CLOSING
lab $label runs: $controllers controllers, $nodes nodes ($("$here/doctor.sh" --virtualization)).
  $state/desk/udatsu cluster status
  $state/desk/udatsu instance ls
  ./lab status
  docs/OPERATING.md: what an operator does next
CLOSING
case $mode in
keep) printf '  ./lab down removes it\n' ;;
stay)
    printf 'Ctrl-C removes it.\n'
    while :; do
        sleep 3600 9>&- &
        wait $! || true
    done
    ;;
once) printf 'removing it\n' ;;
esac
