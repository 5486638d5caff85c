/* Lies that a judge could be talked into believing, told in lines: each beside the history that it
 * is told from, which is clean. */
#include "base/check.h"
#include "tests/history/tale.h"

#include <criterion/criterion.h>
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
