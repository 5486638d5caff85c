#!/bin/sh
# The unit test of a rule fails without the rule, and for that reason: without_rule.sh MUTANT SOUND RULE
# WORDS. Decides that a test of this rule said WORDS and failed in the build without it, and that each
# passes in the sound build. A program that has no such test, or dies of something else, is refused.
set -eu
mutant=${1:?without_rule.sh MUTANT SOUND RULE WORDS}
sound=${2:?}
rule=${3:?}
words=${4:?}
filter="replica/rule_${rule}_*"
said=$("$sound" -j1 --filter "$filter" 2>&1) || {
    printf '%s\nthe sound build fails\n' "$said"
    exit 1
}
printf '%s\n' "$said" | grep -q 'Synthesis: Tested: [1-9]' || {
    printf 'there is no test of rule %s\n' "$rule"
    exit 1
}
status=0
said=$("$mutant" -j1 --filter "$filter" 2>&1) || status=$?
printf '%s\n' "$said"
if [ $status = 0 ]; then
    printf 'the harm of rule %s is not seen\n' "$rule"
    exit 1
fi
printf '%s\n' "$said" | grep -q "\[FAIL\] replica::rule_${rule}_" &&
    printf '%s\n' "$said" | grep -qF -- "$words"
