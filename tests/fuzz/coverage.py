#!/usr/bin/env python3
"""Prints how many branches of each target's decoders its inputs took.

    coverage.py --build DIRECTORY [--fail-under PERCENT] [--missing] TARGET...

Reads llvm-cov's export of each target (DIRECTORY/fuzz/TARGET/coverage.json), decoders.txt (which
files, or functions of them, a target answers for) and excuses.txt. Not counted: what a CHECK or an
UNREACHABLE would do, the values of no meaning that an enum has for the compiler, and excused
branches, which are listed. The figure with them counted as well stands beside. Exit status 1 when a
decoder is under.
"""
import fnmatch
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def lines_of(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return [line.strip() for line in file if line.strip() and not line.startswith("#")]


def decoders():
    """{target: {file: set of functions, or None for all of it}}"""
    found = {}
    for line in lines_of("decoders.txt"):
        target, _, rest = line.partition(":")
        for word in rest.split():
            path, _, names = word.partition(":")
            found.setdefault(target, {})[path] = set(names.split(",")) if names else None
    return found


def excuses():
    """[(file, pattern of the line's code, why)]"""
    return [tuple(part.strip() for part in line.split(" | ")) for line in lines_of("excuses.txt")]


def excuse_of(pardons, path, code, piece):
    """A pattern is of the line, or "LINE >> PIECE": of one condition of it alone."""
    for pardon in pardons:
        line, _, part = pardon[1].partition(" >> ")
        if pardon[0] == path and fnmatch.fnmatchcase(code, line) and part in ("", piece):
            return pardon
    return None


def check_lines(text):
    """Numbers of the lines that are inside CHECK(...) or UNREACHABLE()."""
    inside = set()
    for match in re.finditer(r"\b(CHECK|UNREACHABLE)\(", text):
        depth, at = 1, match.end()
        while depth > 0 and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        first = text.count("\n", 0, match.start()) + 1
        inside.update(range(first, text.count("\n", 0, at) + 2))
    return inside


def function_name(name):
    return name.rpartition(":")[2]


def branches(export, path, wanted):
    """{(line, column, end line, end column): [times true, times false]} of one file."""
    counted, whole = {}, os.path.join(ROOT, path)
    for function in export["data"][0]["functions"]:
        names = [os.path.normpath(name) for name in function["filenames"]]
        if wanted is not None and function_name(function["name"]) not in wanted:
            continue
        for branch in function.get("branches", []):
            line, column, end, end_column, true, false, file_id = branch[:7]
            if not same_file(names[file_id], whole):
                continue
            key = (line, column, end, end_column)
            both = counted.setdefault(key, [0, 0])
            both[0] += true
            both[1] += false
    return counted


def same_file(name, whole):
    return os.path.realpath(name) == os.path.realpath(whole)


def judge(export, path, wanted, pardons):
    """(taken, all, [(line, code, side)], [(file, pattern, line and side)]) of one decoder."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    lines, skipped = text.split("\n"), check_lines(text)
    taken, every, missing, excused = 0, 0, [], []
    for (line, column, end, end_column), both in sorted(branches(export, path, wanted).items()):
        code = lines[line - 1].strip()
        if line in skipped or re.match(r"switch \(|case _\w+_INT_SIZE:", code):
            continue
        piece = lines[line - 1][column - 1:end_column - 1 if end == line else None].strip()
        pardon = excuse_of(pardons, path, code, piece)
        for side, times in (("true", both[0]), ("false", both[1])):
            if times == 0 and pardon is not None:
                excused.append((pardon, f"{line} {side}"))
                continue
            every += 1
            taken += 1 if times > 0 else 0
            if times == 0:
                missing.append((line, code, f"{piece} is never {side}"))
    return taken, every, missing, excused


def main(arguments):
    build, under, show = "", 0.0, False
    while arguments and arguments[0].startswith("--"):
        if arguments[0] == "--missing":
            show, arguments = True, arguments[1:]
        else:
            if arguments[0] == "--build":
                build = arguments[1]
            else:
                under = float(arguments[1])
            arguments = arguments[2:]
    known, pardons = decoders(), excuses()
    excused, low, sums = [], False, [0, 0, 0]
    print(f"{'target':<10} {'decoder':<38} {'branches':>11} {'percent':>8} {'all of them':>12}")
    for target in arguments:
        with open(os.path.join(build, "fuzz", target, "coverage.json"), encoding="utf-8") as file:
            export = json.load(file)
        for path, wanted in known[target].items():
            taken, every, missing, pardoned = judge(export, path, wanted, pardons)
            percent = 100.0 * taken / every if every > 0 else 0.0
            whole = every + len(pardoned)
            low = low or percent < under
            sums = [sums[0] + taken, sums[1] + every, sums[2] + whole]
            mark = " (some functions)" if wanted is not None else ""
            print(f"{target:<10} {path + mark:<38} {taken:>5}/{every:<5} {percent:>7.1f}% "
                  f"{100.0 * taken / max(whole, 1):>11.1f}%")
            excused += pardoned
            for line, code, what in missing if show or percent < under else []:
                print(f"    {path}:{line}: {what}    {code}")
    print(f"all decoders: {sums[0]} branches of {sums[1]} taken, {100.0 * sums[0] / sums[1]:.1f}%; "
          f"with what is excused counted, of {sums[2]}, {100.0 * sums[0] / sums[2]:.1f}%")
    for pardon in dict.fromkeys(pardon for pardon, _ in excused):
        where = ", ".join(place for other, place in excused if other == pardon)
        print(f"excused {pardon[0]}: {pardon[2]} (line {where})")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
