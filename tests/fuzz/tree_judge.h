/* A second opinion about a tree of JSON, from jansson. Decides nothing about which of the two is
 * right. Shared by the target and the unit test of our reader. */
#ifndef TESTS_FUZZ_TREE_JUDGE_H
#define TESTS_FUZZ_TREE_JUDGE_H

#include "controller/api_tree.h"

#include <jansson.h>

bool tree_same(struct json *ours, json_t *theirs);
/* More levels than our reader takes; jansson has another bound. */
bool tree_too_deep(struct slice text);

#endif
