/* The checkers against small histories, told in lines: each is clean, or is known for what it is.
 */
#include "base/check.h"
#include "base/hash.h"
#include "tests/history/tale.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct tale_case {
    const char *what;
    const char *lines;
    const char *sentence; /* Part of it; NULL: clean. */
};

static void judge(
    const struct tale_case *cases,
    size_t count,
    struct history_verdict (*check)(const struct history *history))
{
    for (size_t i = 0; i < count; i++) {
        struct history *history = tale_new();
        tale_tell(history, cases[i].lines);
        struct history_verdict verdict = check(history);
        if (cases[i].sentence == NULL) {
            cr_expect(verdict.word == HISTORY_CLEAN, "%s: %s", cases[i].what, verdict.sentence);
        } else {
            cr_expect(verdict.word == HISTORY_ANOMALY, "%s: %s", cases[i].what, verdict.sentence);
            cr_expect(
                strstr(verdict.sentence, cases[i].sentence) != NULL,
                "%s: %s",
                cases[i].what,
                verdict.sentence);
        }
        tale_free(history);
    }
}

static const struct tale_case registers[] = {
    { "nothing happened", "", NULL },
    { "one life",
      "1 0 1 create a ok id=5\n"
      "1 2 3 read a stopped id=5 epoch=0 rev=1\n"
      "1 4 5 start a ok id=5\n"
      "1 6 7 read a running id=5 epoch=1 rev=3\n"
      "1 8 9 stop a ok\n"
      "1 10 11 read a stopped id=5 epoch=1 rev=5\n"
      "1 12 13 delete a ok\n"
      "1 14 15 read a absent\n",
      NULL },
    { "a read beside a create may see either",
      "1 0 10 create a ok id=5\n2 1 2 read a absent\n3 3 4 read a stopped id=5\n",
      NULL },
    { "a stale read: it was there, and then not",
      "1 0 10 create a ok id=5\n2 1 2 read a stopped id=5\n3 3 4 read a absent\n",
      "client 3" },
    { "a lost write", "1 0 1 create a ok id=5\n1 2 3 read a absent\n", "no order explains" },
    { "a stale revision",
      "1 0 1 create a ok id=5\n1 2 3 read a stopped id=5 rev=3\n2 4 5 read a stopped id=5 rev=2\n",
      "revision 2" },
    { "a resurrected delete",
      "1 0 1 create a ok id=5\n1 2 3 delete a ok\n1 4 5 read a absent\n"
      "2 6 7 read a stopped id=5\n",
      "id 5" },
    { "an older life comes back under a younger one",
      "1 0 1 create a ok id=5\n1 2 3 delete a ok\n1 4 5 create a ok id=6\n"
      "2 6 7 read a stopped id=5\n",
      "id 5" },
    { "a start that was done twice",
      "1 0 1 create a ok id=5\n1 2 3 start a ok\n1 4 5 read a starting epoch=2\n",
      "no order explains" },
    { "a start that was lost",
      "1 0 1 create a ok id=5\n1 2 3 start a ok\n1 4 5 read a starting epoch=0\n",
      "no order explains" },
    { "a start whose answer nobody heard may be done, late",
      "1 0 1 create a ok id=5\n1 2 - start a info key=k\n2 4 5 read a stopped epoch=0\n"
      "2 6 7 read a running epoch=1\n",
      NULL },
    { "or never",
      "1 0 1 create a ok id=5\n1 2 - start a info key=k\n2 4 5 read a stopped epoch=0\n",
      NULL },
    { "but not before it was asked",
      "1 0 1 create a ok id=5\n2 2 3 read a running epoch=1\n1 4 - start a info key=k\n",
      "client 2" },
    { "the same key asked again is one start",
      "1 0 1 create a ok id=5\n1 2 - start a info key=k\n2 4 5 start a ok key=k\n"
      "2 6 7 read a running epoch=1\n",
      NULL },
    { "of which there cannot be two",
      "1 0 1 create a ok id=5\n1 2 - start a info key=k\n2 4 5 start a ok key=k\n"
      "2 6 7 read a running epoch=2\n",
      "no order explains" },
    { "a key that was refused had not been done",
      "1 0 - create a info key=k\n2 1 2 read a stopped\n2 3 4 create a taken key=k\n",
      "client 2 was told at 0.000000 s (saw stopped" },
    { "it may be done later",
      "1 0 - create a info key=k\n2 3 4 delete a absent\n2 5 6 create a refused key=k\n"
      "2 7 8 read a stopped\n",
      NULL },
    { "a refusal says what is there: taken",
      "1 0 1 create a ok id=5\n1 2 3 delete a ok\n2 4 5 create a taken\n",
      "create: fail taken" },
    { "a refusal says what is there: absent",
      "1 0 1 create a ok id=5\n2 2 3 start a absent\n",
      "start: fail absent" },
    { "a refusal says what is there: wrong state",
      "1 0 1 create a ok id=5\n2 2 3 start a state\n",
      "start: fail state" },
    { "what runs is not started", "1 0 1 create a ok value=1\n2 2 3 start a state\n", NULL },
    { "what may have failed by itself is",
      "1 0 1 create a ok value=1\n2 2 3 start a ok\n2 4 5 read a running epoch=2\n",
      NULL },
    { "what was not even tried says nothing",
      "1 0 1 create a ok id=5\n2 2 3 delete a untried\n1 4 5 read a stopped id=5\n",
      NULL },
    { "what is deleted on a node goes away by itself",
      "1 0 1 create a ok value=1 id=5\n1 2 3 delete a ok\n2 4 5 read a deleting id=5\n"
      "2 6 7 read a absent\n1 8 9 create a ok id=6\n",
      NULL },
    { "and what rests goes at once",
      "1 0 1 create a ok id=5\n1 2 3 delete a ok\n2 4 5 read a deleting id=5\n",
      "deleting" },
    { "a network in use is there", "1 0 1 create n1 ok\n2 2 3 delete n1 used\n", NULL },
    { "a network that is gone is not in use",
      "1 0 1 create n1 ok\n1 2 3 delete n1 ok\n2 4 5 delete n1 used\n",
      "delete: fail used" },
    { "a list without a name is a read of it",
      "1 0 1 create a ok id=5 account=red\n2 2 3 list - ok account=red whole=1\n",
      "absent" },
    { "a list with it, too",
      "1 0 1 create a ok id=5 account=red\n2 2 3 list - ok account=red whole=1 sight=a:stopped:5\n",
      NULL },
    { "a value is compared and set",
      "1 0 1 read q ok value=7 rev=3\n1 2 3 set q ok value=8 match=3\n2 4 5 set q changed match=3\n"
      "2 6 7 read q ok value=8 rev=4\n",
      NULL },
    { "an update of a value that was lost",
      "1 0 1 read q ok value=7 rev=3\n1 2 3 set q ok value=8 match=3\n"
      "2 4 5 set q ok value=9 match=3\n",
      "client 2" },
    { "a stale value",
      "1 0 1 read q ok value=7 rev=3\n1 2 3 set q ok value=8\n2 4 5 read q ok value=7 rev=3\n",
      "client 2" },
};

Test(registers, an_object_that_could_not_have_been_one_machine_is_found)
{
    judge(registers, COUNT_OF(registers), history_check_registers);
}

static const struct tale_case lists[] = {
    { "nothing happened", "", NULL },
    { "appends and reads in turn",
      "1 0 1 list - ok append=x:1\n2 2 3 list - ok seen=x:1\n1 4 5 list - ok append=x:2\n"
      "2 6 7 list - ok seen=x:1,2\n",
      NULL },
    { "a read that leaves something out",
      "1 0 9 list - ok append=x:1\n2 0 9 list - ok append=x:2\n3 0 9 list - ok seen=x:2\n",
      "left out: element 1" },
    { "what lies before `after` was not asked for",
      "1 0 9 list - ok append=x:1\n2 0 9 list - ok append=x:2\n3 0 9 list - ok seen=x:1/2\n",
      NULL },
    { "a read out of order", "3 0 9 list - ok seen=x:2,1\n", "out of order" },
    { "one element of two events",
      "1 0 9 list - ok append=x:1\n2 0 9 list - ok append=x:1\n",
      "appended twice" },
    { "G0: two writers, each before the other",
      "1 0 9 list - ok append=x:1 append=y:2\n2 0 9 list - ok append=x:2 append=y:1\n",
      "G0: " },
    { "G1a: a read of what was refused",
      "1 0 9 list - refused append=x:1\n2 0 9 list - ok seen=x:1\n",
      "G1a" },
    { "G1b: a read of half of what was done",
      "1 0 9 list - ok append=x:1 append=x:2\n2 0 9 list - ok seen=x:1\n",
      "G1b" },
    { "G1c: each read what the other wrote",
      "1 0 9 list - ok append=x:1 seen=y:1\n2 0 9 list - ok append=y:1 seen=x:1\n",
      "G1c: " },
    { "G-single: one saw the write of y but not that of x",
      "1 0 9 list - ok append=x:1 append=y:1\n2 0 9 list - ok seen=x: seen=y:1\n",
      "G-single: " },
    { "G2: write skew",
      "1 0 9 list - ok seen=x: append=y:1\n2 0 9 list - ok seen=y: append=x:1\n",
      "G2: " },
    { "real time: an append that a later read does not see",
      "1 0 1 list - ok append=x:1\n2 2 3 list - ok seen=x:\n",
      "G-single-realtime" },
    { "real time: a read that saw it, and a later one that did not",
      "1 0 9 list - ok append=x:1\n2 2 3 list - ok newest=x:1\n3 4 5 list - ok newest=x:0\n",
      "G-single-realtime" },
    { "real time: a page that may go on says nothing of the end",
      "1 0 9 list - ok append=x:1\n1 0 9 list - ok append=x:2\n2 10 11 list - ok seen=x:1+\n",
      NULL },
    { "real time: the later one got the lower number",
      "1 0 1 list - ok append=x:2\n2 2 3 list - ok append=x:1\n",
      "G0-realtime" },
    { "real time: read before it was asked",
      "2 0 1 list - ok seen=x:1\n1 2 3 list - ok append=x:1\n",
      "G1c-realtime" },
    { "what nobody answered, and nobody saw, is nowhere",
      "1 0 - list - info append=x:1\n2 2 3 list - ok seen=x:\n",
      NULL },
    { "but seen it is there",
      "1 0 - list - info append=x:1\n2 2 3 list - ok seen=x:1\n3 4 5 list - ok seen=x:\n",
      "G-single-realtime" },
    { "what nobody is known to have written is stepped over",
      "1 0 1 list - ok append=x:1\n2 2 3 list - ok seen=x:1,2\n1 4 5 list - ok append=x:3\n"
      "2 6 7 list - ok seen=x:1,2,3\n",
      NULL },
    { "the same key is one append",
      "1 0 - start a info key=k append=x:0\n2 2 3 start a ok key=k append=x:1\n"
      "3 4 5 list - ok seen=x:1\n",
      NULL },
};

Test(lists, a_cycle_of_what_was_seen_and_written_is_found_and_named)
{
    judge(lists, COUNT_OF(lists), history_check_lists);
}

static const struct tale_case once[] = {
    { "each is there",
      "1 0 1 create a ok key=k op=4 append=red:4\n9 8 9 list - ok final=red:4\n",
      NULL },
    { "a lost one",
      "1 0 1 create a ok key=k op=4 append=red:4\n9 8 9 list - ok final=red:\n",
      "acknowledged and lost" },
    { "one that nobody asked for",
      "1 0 1 create a ok key=k op=4 append=red:4\n9 8 9 list - ok final=red:4,5\n",
      "nobody asked for it" },
    { "one that nobody was answered about",
      "1 0 - create a info key=k append=red:0\n9 8 9 list - ok final=red:5\n",
      NULL },
    { "but only once",
      "1 0 - create a info key=k append=red:0\n9 8 9 list - ok final=red:5,6\n",
      "nobody asked for it" },
    { "the same key asked twice is one",
      "1 0 - create a info key=k append=red:0\n2 0 - create a info key=k append=red:0\n"
      "9 8 9 list - ok final=red:5,6\n",
      "nobody asked for it" },
    { "a double apply: two numbers under one key",
      "1 0 1 create a ok key=k op=4 append=red:4\n2 2 3 create a ok key=k op=5 append=red:5\n"
      "9 8 9 list - ok final=red:4,5\n",
      "done twice under one key" },
    { "a refusal after it was acknowledged",
      "1 0 1 create a ok key=k op=4 append=red:4\n2 2 3 create a taken key=k\n"
      "9 8 9 list - ok final=red:4\n",
      "refused after it was acknowledged" },
    { "one number under two keys",
      "1 0 1 create a ok key=k op=4 append=red:4\n2 2 3 create b ok key=m op=4 append=red:4\n"
      "9 8 9 list - ok final=red:4\n",
      "one for two requests" },
    { "a refused one that was done all the same",
      "1 0 1 create a refused key=k append=red:4\n9 8 9 list - ok final=red:4\n",
      "refused and done" },
    { "there twice",
      "1 0 1 create a ok key=k op=4 append=red:4\n9 8 9 list - ok final=red:4,4\n",
      "there twice" },
};

Test(once, what_was_acknowledged_is_there_once_and_nothing_else_is)
{
    judge(once, COUNT_OF(once), history_check_once);
}

Test(once, a_list_that_nobody_read_at_the_end_is_not_clean)
{
    struct history *history = tale_new();
    tale_tell(history, "1 0 1 create a ok key=k op=4 append=red:4\n9 8 9 list - ok seen=red:4\n");
    struct history_verdict verdict = history_check_once(history);
    cr_assert_eq(verdict.word, HISTORY_UNKNOWN, "%s", verdict.sentence);
    tale_free(history);
}

static const struct tale_case ledger[] = {
    { "charged with what there is",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=red charged=1,5,1,0 inventory=1,5,1,0\n",
      NULL },
    { "another sum than the objects of that state",
      "1 0 9 create a ok account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=red charged=1,5,1,0 inventory=0,0,0,0\n",
      "sum up to 0" },
    { "less than surely exists",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=red charged=0,0,0,0\n",
      "surely existed" },
    { "a deleted one may be charged still",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n1 2 3 delete a ok account=red\n"
      "2 4 5 account - ok account=red charged=1,5,1,0\n",
      NULL },
    { "or not",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n1 2 3 delete a ok account=red\n"
      "2 4 5 account - ok account=red charged=0,0,0,0\n",
      NULL },
    { "but no more once it was seen to be gone",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n1 2 3 delete a ok account=red\n"
      "2 4 5 read a absent\n2 6 7 account - ok account=red charged=1,5,1,0\n",
      "may have existed" },
    { "or was done at once",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n1 2 3 delete a ok done=1 account=red\n"
      "2 4 5 account - ok account=red charged=1,5,1,0\n",
      "may have existed" },
    { "one that nobody was answered about may be charged",
      "1 0 - create a info key=k account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=red charged=1,5,1,0\n2 4 5 account - ok account=red "
      "charged=0,0,0,0\n",
      NULL },
    { "a double charge",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=red charged=2,10,2,0\n",
      "charged with 2 vcpus" },
    { "two lives of a name are one charge",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n1 2 3 delete a ok account=red\n"
      "1 2 9 create a ok account=red amounts=1,5,1,0\n"
      "2 4 5 account - ok account=red charged=2,10,2,0\n",
      "may have existed sums up to 1" },
    { "another account's",
      "1 0 1 create a ok account=red amounts=1,5,1,0\n"
      "2 2 3 account - ok account=blue charged=0,0,0,0\n",
      NULL },
};

Test(ledger, an_account_that_is_not_charged_with_what_there_is_is_found) /* INV-LED-2 */
{
    judge(ledger, COUNT_OF(ledger), history_check_ledger);
}

/* All of them begin to look for room in one part of the table: as somebody may choose them. */
Test(history, names_that_were_made_to_collide_do_not_fit)
{
    static const struct hash_key key = { 0x6869, 0x73746f72 }; /* That of history.c. */
    struct history *history = tale_new();
    uint32_t asked = 0;
    for (uint32_t i = 0; i < 4096 && !history->full; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "plain-%u", i / 4); /* Of these there is room. */
        (void)history_name(history, name);
    }
    cr_assert_not(history->full);
    for (uint32_t i = 0; asked < 1200 && !history->full; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "made-%u", i);
        if (((uint32_t)hash_bytes(key, slice_text(name)) & history->slots_mask) < 8) {
            asked++;
            (void)history_name(history, name);
        }
    }
    cr_assert(history->full);
    tale_free(history);
}

Test(history, a_history_that_did_not_fit_is_unknown)
{
    struct history *history = tale_new();
    for (int i = 0; i < 4097; i++) {
        tale_tell(history, "1 0 1 create a untried\n");
    }
    for (uint32_t i = 0; i < HISTORY_CHECKERS; i++) {
        cr_expect_eq(history_check(history, i).word, HISTORY_UNKNOWN);
    }
    tale_free(history);
}
