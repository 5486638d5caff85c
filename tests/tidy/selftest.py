#!/usr/bin/env python3
"""Every rule of tidy.py has seen its negative: each fixture, laid over the clean tree, breaks the
rule it is named after and no other. Prints TAP. A rule without a fixture fails, too."""
import os
import shutil
import sys
import tempfile

import tidy

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")
FUNCTION = "/* Decides what one is. */\n#include \"base/a.h\"\n\nuint32_t one(void)\n{\n%s" \
           "    return 1; /* INV-LED-1 */\n}\n"


def made():
    """Fixtures that no file can hold well: (name, path, text)."""
    clean = open(os.path.join(FIXTURES, "clean/base/a.c"), encoding="utf-8").read()
    yield "sizes-file", "base/a.c", clean + "/* filler */\n" * tidy.FILE_LINES_MAX
    yield "sizes-function", "base/a.c", FUNCTION % ("    /* long */\n" * tidy.FUNCTION_LINES_MAX)
    yield "top-crash", "crash-da39a3ee5e6b4b0d3255bfef95601890afd80709", "what a fuzzer left\n"
    yield "blanks-trailing", "base/a.c", clean.replace("return 1;", "return 1; ", 1).replace(
        "/* INV-LED-1 */", "/* INV-LED-1 */ ")
    yield "blanks-tab", "base/a.c", clean.replace("    return", "\treturn")
    yield "blanks-newline", "base/a.c", clean.rstrip("\n")
    for number, word in enumerate(tidy.WORDS):
        yield f"words-{number}", "docs/README.md", f"# docs\n\nSee {word} for more.\n"


def broken_rules(overlay):
    """`overlay` changes the tree; it says what git keeps, or nothing."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(os.path.join(FIXTURES, "clean"), root, dirs_exist_ok=True)
        return tidy.violations(root, kept=overlay(root))


def write(path, text):
    def overlay(root):
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)
    return overlay


def copy(name):
    def overlay(root):
        shutil.copytree(os.path.join(FIXTURES, name), root, dirs_exist_ok=True)
    return overlay


def one_kept(root):
    """Two files that nobody asked for: git keeps one, the other just lies there."""
    for name in ("lies-there", "left.txt"):
        write(name, "left behind\n")(root)
    return ["README.md", "base/a.c", "left.txt"]


def main():
    kept = sorted(n for n in os.listdir(FIXTURES)
                  if os.path.isdir(os.path.join(FIXTURES, n)) and n != "clean")
    cases = [("clean", lambda root: None)]
    cases += [(name, copy(name)) for name in kept]
    cases += [(name, write(path, text)) for name, path, text in made()]
    cases.append(("top-kept", one_kept))
    print(f"1..{len(cases) + len(tidy.RULES)}")
    failed, number = 0, 0
    for name, overlay in cases:
        number += 1
        found = broken_rules(overlay)
        wanted = set() if name == "clean" else {name.split("-")[0]}
        good = {rule for rule, *_ in found} == wanted and (name != "top-kept" or len(found) == 1)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name} breaks {sorted(wanted) or 'nothing'}")
        if not good:
            print(f"# found {found}")
    for rule in tidy.RULES:
        number += 1
        good = any(name.split("-")[0] == rule for name, _ in cases)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - rule {rule} has a fixture")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
