#!/usr/bin/env python3
"""Is every promise of docs/INVARIANTS.md told in a story? Those that no story can tell stand in the
table of README.md here, with the reason and a test that shows them: it is there and cites them.
Prints what is neither, and what is both.

usage: told.py ROOT [--also INVARIANT]    one more promise, which nobody tells: it must be missed"""
import os
import re
import sys

NAME = r"INV-[A-Z]+-[0-9]+"
REASON_MIN = 12  # Letters: a word is no reason.


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def main():
    root = sys.argv[1]
    promised = set(re.findall(rf"^- ({NAME}):", read(root, "docs/INVARIANTS.md"), re.M))
    promised |= set(sys.argv[3:] if sys.argv[2:3] == ["--also"] else [])
    folder = "tests/scenario"
    told = {}
    for story in sorted(os.listdir(os.path.join(root, folder))):
        if story.endswith(".sc"):
            comment = "\n".join(line for line in read(root, f"{folder}/{story}").splitlines()
                                if line.startswith("#"))
            for name in re.findall(rf"{NAME}\b", comment):
                told.setdefault(name, story)
    wrong = [f"{told[name]} tells {name}, which nobody promised" for name in set(told) - promised]
    shown = {}
    for name, reason, test in re.findall(rf"^\| ({NAME}) \| (.*?) \| (\S+) \|$",
                                         read(root, f"{folder}/README.md"), re.M):
        shown[name] = test
        if len(reason) < REASON_MIN:
            wrong.append(f"{name} is in the table without a reason")
        if name in told:
            wrong.append(f"{name} is in the table, and told by {told[name]}")
        if name not in promised:
            wrong.append(f"{name} is in the table, and nobody promised it")
        if not os.path.exists(os.path.join(root, test)) or not re.search(
                rf"{name}\b", read(root, test)):
            wrong.append(f"{name} is in the table, and {test} does not cite it")
    for name in sorted(promised - set(told) - set(shown)):
        wrong.append(f"{name} is told in no story, and the table of {folder}/README.md has no reason")
    for line in sorted(wrong):
        print(line)
    print(f"{len(promised)} promises: {len(set(told) & promised)} told, {len(shown)} shown otherwise")
    return 1 if wrong or not promised else 0


sys.exit(main())
