#!/usr/bin/env python3
"""Counts the checks that meson ran and prints the closing line.

Reads meson-logs/testlog.junit.xml (single checks of TAP programs) and testlog.json (programs) of
each build directory. A program that failed without naming a failed check counts as one failure,
and so does a directory without any log. Exit status 1 unless something ran and nothing failed.
"""
import json
import os
import sys
import xml.etree.ElementTree as ElementTree


def programs(directory):
    """Yields (name, suites, result) of each test program."""
    with open(os.path.join(directory, "meson-logs", "testlog.json"), encoding="utf-8") as log:
        for line in log:
            entry = json.loads(line)
            suites = [s.split(":")[-1] for s in entry.get("suite", [])] or ["none"]
            yield entry["name"].split(" / ")[-1], suites, entry


def checks(directory):
    """(passed, failed names, skipped names) by program name; TAP checks where there are any."""
    tree = ElementTree.parse(os.path.join(directory, "meson-logs", "testlog.junit.xml"))
    found = {}
    for suite in tree.getroot().iter("testsuite"):
        tap = "." in suite.get("name", "")
        if not tap:
            continue
        name = suite.get("name").split(" / ")[-1]
        cases = list(suite.iter("testcase"))
        bad = [c.get("name") for c in cases if c.find("failure") is not None
               or c.find("error") is not None]
        skipped = [c.get("name") for c in cases if c.find("skipped") is not None]
        found[name] = (len(cases) - len(bad) - len(skipped), bad, skipped)
    return found


def skip_reason(entry):
    lines = (entry.get("stdout", "") + entry.get("stderr", "")).strip().splitlines()
    return lines[-1] if lines else "no reason given"


def last_words(label, entry):
    """What a program that failed said last: what prints this page may keep only its end."""
    lines = (entry.get("stdout", "") + entry.get("stderr", "")).strip().splitlines()
    telling = [line for line in lines if line.startswith("seed ")] or lines
    return [f"{label}: {line}" for line in telling[-4:]]


def main(arguments):
    required = set()
    if arguments[:1] == ["--require"]:
        required = set(arguments[1].split())
        arguments = arguments[2:]
    passed, failed, skipped, words = 0, [], [], []
    for directory in arguments:
        try:
            by_name, listed = checks(directory), list(programs(directory))
        except (OSError, ElementTree.ParseError) as error:
            failed.append(f"{directory}: no test log ({error})")
            continue
        for name, suites, entry in listed:
            good, bad, passed_over = by_name.get(name, (0, [], []))
            label = f"{directory}: {name}"
            result = entry["result"]
            strict = "all" in required or bool(required & set(suites))
            reasons = [f"{label}: {check}" for check in passed_over]
            if result == "SKIP":
                reasons.append(f"{label}: {skip_reason(entry)}")
            elif result in ("OK", "EXPECTEDFAIL"):
                good = good if name in by_name else 1
            else:
                bad = bad or [result.lower()]
                words += last_words(label, entry)
            passed += good
            failed += [f"{label}: {check}" for check in bad]
            (failed if strict else skipped).extend(reasons)
    for line in skipped:
        print("skipped", line)
    for line in words:
        print("said   ", line)
    for line in failed:
        print("failed ", line)
    tail = f", {len(skipped)} skipped" if skipped else ""
    print(f"{passed} passed, {len(failed)} failed{tail}")
    return 0 if passed > 0 and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
