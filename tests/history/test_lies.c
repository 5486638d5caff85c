/* Lies that a judge could be talked into believing, told in lines: each beside the history that it
 * is told from, which is clean. */
#include "base/check.h"
#include "tests/history/tale.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

struct lie {
    const char *what;
    const char *truth;
    const char *lie;
    const char *sentence; /* Part of what is said of the lie. */
};

static void judge(
    const struct lie *lies,
    size_t count,
    struct history_verdict (*check)(const struct history *history))
{
    for (size_t i = 0; i < count; i++) {
        struct history *truth = tale_new();
        struct history *lie = tale_new();
        tale_tell(truth, lies[i].truth);
        tale_tell(lie, lies[i].lie);
        struct history_verdict verdict = check(truth);
        cr_expect(verdict.word == HISTORY_CLEAN, "%s: %s", lies[i].what, verdict.sentence);
        verdict = check(lie);
        cr_expect(
            verdict.word == HISTORY_ANOMALY && strstr(verdict.sentence, lies[i].sentence) != NULL,
            "%s: %s: %s",
            lies[i].what,
            history_word_text(verdict.word),
            verdict.sentence);
        tale_free(truth);
        tale_free(lie);
    }
}

static const struct lie keys[] = {
    { "two creates under one key, one operation",
      "1 0 1 create n2 ok key=k id=2 op=2 append=x:2\n1 2 3 create n2 ok key=k id=2 op=2\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 create n2 ok key=k id=2 op=2 append=x:2\n1 2 3 create n3 ok key=k id=2 op=2\n"
      "9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "the second untold",
      "1 0 1 create n2 ok key=k id=2 op=2 append=x:2\n1 2 3 create n2 ok key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 create n2 ok key=k id=2 op=2 append=x:2\n1 2 3 create n3 ok key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "a start under the key of a create",
      "1 0 1 create a ok key=k id=2 op=2 append=x:2\n1 2 3 start a ok key=m id=2 op=3 append=x:3\n"
      "9 8 9 list - ok final=x:2,3\n",
      "1 0 1 create a ok key=k id=2 op=2 append=x:2\n1 2 3 start a ok key=k id=2 op=2\n"
      "9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "one name for two accounts",
      "1 0 1 create a ok key=k id=2 op=2 account=red append=x:2\n"
      "1 2 3 create a ok key=k account=red\n9 8 9 list - ok final=x:2\n",
      "1 0 1 create a ok key=k id=2 op=2 account=red append=x:2\n"
      "1 2 3 create a ok key=k account=blue\n9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "another value under the same key",
      "1 0 1 set q ok key=k value=5 op=2 append=x:2\n1 2 3 set q ok key=k value=5 op=2\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 set q ok key=k value=5 op=2 append=x:2\n1 2 3 set q ok key=k value=7 op=2\n"
      "9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "unless the other one was refused for that",
      "1 0 1 create a ok key=k op=2 append=x:2\n1 2 3 create b reused key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 create a ok key=k op=2 append=x:2\n1 2 3 create b taken key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "one key, two requests" },
    { "the same request is no other one",
      "1 0 1 create a ok key=k op=2 append=x:2\n1 2 3 create b reused key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 create a ok key=k op=2 append=x:2\n1 2 3 create a reused key=k\n"
      "9 8 9 list - ok final=x:2\n",
      "refused as another's request" },
    { "two elements of one list under one key",
      "1 0 1 create a ok key=k append=x:2\n1 2 3 create a ok key=k append=x:2\n"
      "9 8 9 list - ok final=x:2\n",
      "1 0 1 create a ok key=k append=x:2\n1 2 3 create a ok key=k append=x:3\n"
      "9 8 9 list - ok final=x:2,3\n",
      "done twice under one key" },
};

Test(lies, one_key_is_one_request_and_one_answer) /* INV-IDEM-1 */
{
    judge(keys, COUNT_OF(keys), history_check_once);
}

static const struct lie once[] = {
    { "acknowledged without a number, and not there",
      "1 0 1 create a ok key=k append=x:0\n9 8 9 list - ok final=x:4\n",
      "1 0 1 create a ok key=k append=x:0\n9 8 9 list - ok final=x:\n",
      "acknowledged without a number and lost" },
    { "two of them, and one there",
      "1 0 1 create a ok key=k append=x:0\n1 0 1 create b ok key=m append=x:0\n"
      "9 8 9 list - ok final=x:4,5\n",
      "1 0 1 create a ok key=k append=x:0\n1 0 1 create b ok key=m append=x:0\n"
      "9 8 9 list - ok final=x:4\n",
      "acknowledged without a number and lost" },
    { "a number that another answer of its key told is no stranger",
      "1 0 1 create a ok key=k append=x:0\n1 2 3 create a ok key=k append=x:4\n"
      "9 8 9 list - ok final=x:4\n",
      "1 0 1 create a ok key=k append=x:0\n1 2 3 create a ok key=k append=x:4\n"
      "9 8 9 list - ok final=x:4,5\n",
      "nobody asked for it" },
    { "what a read saw and nobody asked for",
      "1 0 1 create a ok key=k append=x:1\n2 2 3 list - ok seen=x:1\n9 8 9 list - ok final=x:1\n",
      "1 0 1 create a ok key=k append=x:1\n2 2 3 list - ok seen=x:1,5\n"
      "9 8 9 list - ok final=x:1\n",
      "nobody asked for it" },
    { "what a read saw, and the end does not hold",
      "1 0 1 create a ok key=k append=x:1\n1 0 - create b info key=m append=x:0\n"
      "2 2 3 list - ok seen=x:1,5\n9 8 9 list - ok final=x:1,5\n",
      "1 0 1 create a ok key=k append=x:1\n1 0 - create b info key=m append=x:0\n"
      "2 2 3 list - ok seen=x:1,5\n9 8 9 list - ok final=x:1\n",
      "gone at the end" },
    { "another stranger in every read",
      "1 0 - create b info key=m append=x:0\n2 2 9 list - ok seen=x:5\n9 8 9 list - ok final=x:5\n",
      "1 0 - create b info key=m append=x:0\n2 2 9 list - ok seen=x:4\n9 8 9 list - ok final=x:5\n",
      "nobody asked for it" },
};

Test(lies, what_was_acknowledged_is_demanded_and_what_nobody_asked_for_is_seen_nowhere)
{
    judge(once, COUNT_OF(once), history_check_once);
}

#define DOUBT "1 0 - create n2 info key=k append=x:2\n1 0 1 create n3 ok key=m append=x:3\n"
static const struct lie lists[] = {
    { "left out of an earlier read, by the order of the lines",
      DOUBT "2 2 3 list - ok seen=x:2,3\n2 4 5 list - ok seen=x:2,3\n",
      DOUBT "2 2 3 list - ok seen=x:3\n2 4 5 list - ok seen=x:2,3\n",
      "left out: element 2" },
    { "and by the other order",
      DOUBT "2 4 5 list - ok seen=x:2,3\n2 2 3 list - ok seen=x:2,3\n",
      DOUBT "2 4 5 list - ok seen=x:2,3\n2 2 3 list - ok seen=x:3\n",
      "left out: element 2" },
    { "a newest one settles it, too",
      DOUBT "2 2 3 list - ok seen=x:3\n2 4 5 list - ok newest=x:3\n",
      DOUBT "2 2 3 list - ok seen=x:3\n2 4 5 list - ok newest=x:2\n",
      "left out: element 2" },
};

Test(lies, doubt_is_settled_before_anything_is_judged)
{
    judge(lists, COUNT_OF(lists), history_check_lists);
}

static const struct lie registers[] = {
    { "a value that was set and not read, whatever it was before",
      "1 0 1 set q ok value=5\n1 2 3 set q ok value=7\n2 4 5 read q ok value=7 rev=9\n",
      "1 0 1 set q ok value=5\n1 2 3 set q ok value=7\n2 4 5 read q ok value=3 rev=9\n",
      "value 3, revision 9" },
    { "fewer revisions than were made",
      "1 0 1 set q ok value=5\n1 2 3 set q ok value=7\n2 4 5 read q ok value=7 rev=2\n",
      "1 0 1 set q ok value=5\n1 2 3 set q ok value=7\n2 4 5 read q ok value=7 rev=1\n",
      "revision 1" },
    { "refused for a revision that nobody gave",
      "1 0 1 set q changed value=5 match=3\n",
      "1 0 1 set q changed value=5\n",
      "set: fail changed" },
    { "a revision that no life begins with is told, not left out",
      "1 0 1 create a ok id=5\n2 2 3 read a stopped id=5\n",
      "1 0 1 create a ok id=5\n2 2 3 read a stopped id=5 rev=0\n",
      "revision 0" },
    { "a list that leaves out what another account had been refused",
      "1 0 1 create n1 refused account=blue\n1 2 3 create n1 ok id=5 account=red\n"
      "2 4 5 list n ok account=red whole=1 sight=n1:stopped:5\n",
      "1 0 1 create n1 refused account=blue\n1 2 3 create n1 ok id=5 account=red\n"
      "2 4 5 list n ok account=red whole=1\n",
      "saw absent" },
    { "a list that shows the name as of another kind",
      "1 2 3 create n1 ok id=5 account=red\n"
      "2 4 5 list n ok account=red whole=1 sight=n1:stopped:5 sight=vm:absent:0\n",
      "1 2 3 create vm ok id=5 account=red\n"
      "2 4 5 list vm ok account=red whole=1 other=vm:absent:0\n",
      "instance vm" },
    { "a list that shows what another account made",
      "1 0 1 create n1 ok id=5 account=red\n2 2 3 list n ok account=blue whole=1\n",
      "1 0 1 create n1 ok id=5 account=red\n"
      "2 2 3 list n ok account=blue whole=1 sight=n1:stopped:5\n",
      "saw stopped" },
    { "a read, too",
      "1 0 1 create a ok id=5 account=red\n2 2 3 read a absent account=blue\n",
      "1 0 1 create a ok id=5 account=red\n2 2 3 read a stopped id=5 account=blue\n",
      "saw stopped" },
    { "a refusal that says what another account's is doing",
      "1 0 1 create a ok id=5 account=red\n2 2 3 start a absent account=blue\n",
      "1 0 1 create a ok id=5 account=red\n2 2 3 stop a state account=blue\n",
      "stop: fail state" },
    { "a write of what another account made",
      "1 0 1 create a ok id=5 account=red\n2 2 3 delete a ok id=5 account=red\n",
      "1 0 1 create a ok id=5 account=red\n2 2 3 delete a ok id=5 account=blue\n",
      "delete: ok" },
};

Test(lies, an_account_sees_its_own_and_nothing_is_left_out) /* INV-SEC-1 */
{
    judge(registers, COUNT_OF(registers), history_check_registers);
}

#define VM(name, number)                                                                 \
    "1 " number "0 " number "1 create " name " ok id=" number " account=red done=1 key=" \
    "k" number " amounts=1,5,1,0\n"
static const struct lie ledger[] = {
    { "an account beyond the cap that was read",
      "9 1 2 set q ok value=2 account=red\n9 3 4 read q ok value=2 rev=2 account=red\n" VM("a", "1")
          VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "9 1 2 set q ok value=1 account=red\n9 3 4 read q ok value=1 rev=2 account=red\n" VM("a", "1")
          VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "the cap is at most 1" },
    { "a cap that was lowered before, and surely",
      "9 1 2 set q ok value=1 account=red\n9 3 4 set q ok value=5 account=red\n" VM("a", "1")
          VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "9 1 2 set q ok value=5 account=red\n9 3 4 set q ok value=1 account=red\n" VM("a", "1")
          VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "the cap is at most 1" },
    { "a cap that may have been raised meanwhile",
      "9 1 2 set q ok value=1 account=red\n9 15 - set q info value=2 account=red key=s\n" VM(
          "a", "1") VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "9 1 2 set q ok value=1 account=red\n9 25 - set q info value=2 account=red key=s\n" VM(
          "a", "1") VM("b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "the cap is at most 1" },
    { "what is drawn stays when a cap is lowered, and nothing new fits",
      VM("a", "1") VM("b", "2") "9 30 31 set q ok value=1 account=red\n"
                                "2 50 51 account - ok account=red charged=2,10,2,0\n",
      VM("a", "1") "9 15 16 set q ok value=1 account=red\n" VM(
          "b", "2") "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "the cap is at most 1" },
    { "a charge beyond the cap, for what nobody was answered about",
      "9 1 2 set q ok value=1 account=red\n" VM(
          "a", "1") "1 20 - create b info key=k account=red amounts=1,5,1,0\n"
                    "2 50 51 account - ok account=red charged=1,5,1,0\n",
      "9 1 2 set q ok value=1 account=red\n" VM(
          "a", "1") "1 20 - create b info key=k account=red amounts=1,5,1,0\n"
                    "2 50 51 account - ok account=red charged=2,10,2,0\n",
      "the cap was at most 1" },
    { "a delete that nobody answered, and the life was seen later",
      VM("a", "1") "1 5 - delete a info key=d account=red\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n",
      VM("a", "1") "1 5 - delete a info key=d account=red\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n"
                   "2 60 61 read a stopped id=1 account=red\n",
      "surely existed" },
    { "a delete that an earlier life took",
      VM("a", "1") "1 15 - delete a info key=d account=red\n"
                   "1 16 - delete a info key=e account=red\n" VM(
                       "a", "2") "2 50 51 account - ok account=red charged=0,0,0,0\n",
      VM("a", "1") "1 15 - delete a info key=d account=red\n" VM(
          "a", "2") "2 50 51 account - ok account=red charged=0,0,0,0\n",
      "surely existed" },
    { "a delete that another life was told of",
      VM("a", "1") "1 15 16 delete a ok key=d account=red id=1\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n",
      VM("a", "1") "1 15 16 delete a ok key=d account=red id=7\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n",
      "surely existed" },
    { "a delete that another account asked for",
      VM("a", "1") "1 15 - delete a info key=d account=red\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n",
      VM("a", "1") "1 15 - delete a info key=d account=blue\n"
                   "2 50 51 account - ok account=red charged=0,0,0,0\n",
      "surely existed" },
    { "sums that do not fit their number",
      "1 0 1 create a ok account=red amounts=18446744073709551615,0,1,0\n"
      "2 50 51 account - ok account=red charged=18446744073709551615,0,1,0\n",
      "1 0 1 create a ok account=red amounts=18446744073709551615,0,1,0\n"
      "1 2 3 create b ok account=red amounts=1,0,1,0\n"
      "2 50 51 account - ok account=red charged=0,0,2,0\n",
      "is beyond" },
};

Test(lies, an_account_is_not_charged_beyond_its_cap_nor_below_what_there_is) /* INV-LED-2 */
{
    judge(ledger, COUNT_OF(ledger), history_check_ledger);
}

/* Values whose sets and reads nobody can put in an order without trying all of them. */
static void hard_tell(struct history *history, uint32_t number, uint32_t sets)
{
    char line[96];
    for (uint32_t i = 0; i < sets; i++) {
        (void)snprintf(line, sizeof(line), "1 0 1000 set q%u ok value=%u\n", number, i);
        tale_tell(history, line);
    }
    (void)snprintf(line, sizeof(line), "1 2000 2001 read q%u ok value=999 rev=2\n", number);
    tale_tell(history, line);
}

Test(lies, what_would_take_too_long_is_unknown_and_an_anomaly_beside_it_is_one)
{
    struct history *history = tale_new();
    hard_tell(history, 1, 30);
    cr_assert_eq(history_check_registers(history).word, HISTORY_UNKNOWN);
    tale_tell(history, "1 0 1 create a ok id=5\n1 2 3 read a absent\n");
    cr_assert_eq(history_check_registers(history).word, HISTORY_ANOMALY);
    tale_free(history);
}

Test(lies, one_budget_is_for_all_objects)
{
    struct history *history = tale_new();
    for (uint32_t i = 0; i < 8; i++) {
        hard_tell(history, i, 30);
    }
    tale_tell(history, "1 0 1 set qlast ok value=1\n1 2 3 read qlast ok value=2\n");
    struct history_verdict verdict = history_check_registers(history);
    cr_assert_eq(verdict.word, HISTORY_UNKNOWN, "nothing was left: %s", verdict.sentence);
    tale_free(history);
}
