#!/bin/sh
# every story has one verdict on the core, in the simulator and on real machines; without its guard, none
set -eu
. "$(dirname -- "$0")/../lib.sh"
deploy/lab/build.sh build
lab_is_up
stories=$checkout/tests/scenario
programs=$checkout/build/tests/scenario
UDATSU_LAB_STATE=$state
export UDATSU_LAB_STATE
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
images() { tests/accept/simulator/world.sh images; }
must 'images are there that one, two and three nodes hold' images

# One runner's verdict: true, untrue, wrong, or "not: REASON". A story that hangs is wrong.
verdict() { # program, story
    status=0
    timeout 900 "$programs/$1" "$stories/$2.sc" >"$work/said" 2>&1 || status=$?
    cat "$work/said" >&2
    not=$(sed -n 's/^not on [a-z]*: [^:]*: //p' "$work/said")
    case $status in
    0) if [ -n "$not" ]; then printf 'not: %s' "$not"; else printf 'true'; fi ;;
    1) printf 'untrue' ;;
    *) printf 'wrong' ;;
    esac
}
told=0
excluded=0
stages= # On how many each story was told, one digit a story.
stated() { # runner, story: its file says that it is not told there, and why
    grep -Eq "^not on $1: .*[^ ].*" "$stories/$2.sc"
}
alike() { # story: the verdicts of those that tell it are one, and it is true
    begun=$(date +%s)
    row=
    reasons=
    : >"$work/verdicts"
    for program in scenario scenario-sim scenario-lab; do
        case $program in
        scenario) runner=core ;;
        *) runner=${program#scenario-} ;;
        esac
        said=$(verdict $program "$1")
        case $said in
        not:*)
            excluded=$((excluded + 1))
            stated "$runner" "$1" || printf 'unstated\n' >>"$work/verdicts"
            reasons="$reasons; not on $runner: ${said#not: }"
            said=-
            ;;
        *)
            told=$((told + 1))
            ! stated "$runner" "$1" || printf 'told where it is excluded\n' >>"$work/verdicts"
            printf '%s\n' "$said" >>"$work/verdicts"
            ;;
        esac
        row="$row$(printf '%s %-7s' "$runner" "$said")"
    done
    printf 'shown: %-34s %s %3d s%s\n' "$1" "$row" $(($(date +%s) - begun)) "$reasons"
    stages="$stages $(wc -l <"$work/verdicts")"
    [ "$(sort -u "$work/verdicts")" = true ]
}
failed=
for story in "$stories"/[0-9]*.sc; do
    story=$(basename "$story" .sc)
    alike "$story" || failed="$failed $story"
done
printf 'shown: %d times told, %d times not, with a reason\n' $told $excluded
[ -z "$failed" ] || printf 'shown: of several verdicts, or not true:%s\n' "$failed"
# shellcheck disable=SC2086
on_so_many() { printf '%s\n' $stages | grep -c "^$1\$" || true; } # stages
printf 'shown: %d stories on all three stages, %d on two, %d on one alone: there nothing is compared\n' \
    "$(on_so_many 3)" "$(on_so_many 2)" "$(on_so_many 1)"
python3 tests/scenario/told.py . | sed -n 's/^[0-9]* promises: /shown: &/p'
must 'each story is true wherever it is told, and told wherever it does not exclude itself' \
    test -z "$failed"
must 'at least twenty stories are compared between two stages or three' \
    test $(($(on_so_many 3) + $(on_so_many 2))) -ge 20

# Caps are not looked at: the same fault in each of the three.
off=020-quota-race
must "core without the guard: $off is untrue" "$programs/scenario-mutants" --mutant quota "$stories/$off.sc"
must "simulator without the guard: $off is untrue" \
    "$programs/scenario-sim-mutants" --mutant quota "$stories/$off.sc"
for machine in c1 c2 c3; do
    kill -KILL "$(deploy/lab/enter.sh --pid $machine)"
    mkdir -p "$state/machines/$machine/bin"
    cp -a "$state/bin/." "$state/machines/$machine/bin"
    cp "$programs/unguarded_engine" "$state/machines/$machine/bin/udatsu-engine"
done
dark() { for machine in c1 c2 c3; do ! deploy/lab/enter.sh --pid $machine >/dev/null || return 1; done; }
must 'the controllers are off' within 60 dark
for machine in c1 c2 c3; do
    deploy/lab/machine.sh $machine
done
must 'they run a build without the guard' within 60 controllers_agree
unguarded=$(verdict scenario-lab $off)
must "real machines without the guard: $off is untrue" test "$unguarded" = untrue
echo "shown: $off without its guard: core untrue, sim untrue, lab untrue"
deploy/lab/down.sh # What the unguarded ones have agreed upon is nobody's cell.
