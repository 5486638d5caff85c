#!/usr/bin/env python3
"""Decides whether a run of ./lab test was the whole of it, from what meson logged of it.

  ran.py --since SECONDS --simulators PROGRAM,PROGRAM... DIRECTORY[:SUITE,SUITE...]...

For each build directory: every test that it knows (of those suites, or of all) was started after
SECONDS (of the epoch) and passed; each simulator printed a run of at least 200 seeds, none bad,
with its table of faults and checks, and no cell of it is zero. The tables are what the simulators
said in this very run, and are printed again; what a test is called proves nothing. Exit status 1
and the reasons if something does not hold.
"""
import json
import os
import re
import sys

SEEDS = 200
GOOD = ("OK", "EXPECTEDFAIL")


def logged(directory):
    path = os.path.join(directory, "meson-logs", "testlog.json")
    with open(path, encoding="utf-8") as log:
        return [json.loads(line) for line in log if line.strip()]


def known(directory, suites):
    path = os.path.join(directory, "meson-info", "intro-tests.json")
    with open(path, encoding="utf-8") as info:
        for test in json.load(info):
            of = {suite.split(":")[-1] for suite in test["suite"]}
            if not suites or of & suites:
                yield test["name"]


def tables(text):
    """Each run that a simulator printed: (seeds, bad, {section: [(what, count)]})."""
    sections, section = {}, None
    for line in text.splitlines():
        row = re.fullmatch(r"  (\S.*?) +(\d+)", line)
        end = re.match(r"(\d+) seeds, (\d+) bad,", line)
        if line in ("faults", "checks"):
            section = sections.setdefault(line, [])
        elif end:
            yield int(end[1]), int(end[2]), sections
            sections, section = {}, None
        elif row and section is not None:
            section.append((row[1], int(row[2])))


def wrong_in_table(where, seeds, bad, sections):
    if bad:
        yield f"{where}: {bad} of {seeds} seeds are bad"
    for name in ("faults", "checks"):
        rows = sections.get(name, [])
        if not rows:
            yield f"{where} printed no {name}"
        for what, count in rows:
            print(f"  {where} {name[:-1]} {what}: {count}")
            if count == 0:
                yield f"{where}: {name[:-1]} never came up: {what}"


def wrong_in_directory(directory, suites, since, simulators):
    entries = {entry["name"].split(" / ", 1)[-1]: entry for entry in logged(directory)}
    for name in known(directory, suites):
        entry = entries.get(name)
        if entry is None:
            yield f"{directory}: did not run: {name}"
        elif entry["starttime"] < since:
            yield f"{directory}: is of an older run: {name}"
        elif entry["result"] not in GOOD:
            yield f"{directory}: {entry['result'].lower()}: {name}"
    said = set()
    for entry in entries.values():
        program = os.path.basename(entry["command"][0])
        if program not in simulators:
            continue
        for seeds, bad, sections in tables(entry.get("stdout") or ""):
            if seeds >= SEEDS:
                said.add(program)
                where = f"{directory} {program}"
                print(f"{where}: {seeds} seeds, {bad} bad")
                yield from wrong_in_table(where, seeds, bad, sections)
    for program in sorted(simulators - said):
        yield f"{directory}: {program} printed no run of {SEEDS} seeds"


def main(words):
    if len(words) < 5 or words[0] != "--since" or words[2] != "--simulators":
        sys.exit(__doc__.split("\n\n")[1])
    since, simulators = float(words[1]), set(words[3].split(","))
    wrong = []
    for word in words[4:]:
        directory, _, suites = word.partition(":")
        try:
            wrong += wrong_in_directory(
                directory, {suite for suite in suites.split(",") if suite}, since, simulators)
        except OSError as error:
            wrong.append(f"{directory}: no log of a run ({error.strerror})")
    for line in wrong:
        print(f"does not hold: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
