#!/usr/bin/env python3
"""The house rules that a compiler does not know. Reads the tree, changes nothing.

    tidy.py [ROOT]     one line a violation: RULE path:line what; exit status 1 if there is any

Decides: floors and circles, one adapter per third-party header, what pure floors may touch, banned
calls, sizes, cited invariants, dead files, words and blanks, a README in every folder, what lies at
the top.
Never: formatting (clang-format decides) and warnings (the compiler does). Every rule has a tree
under fixtures/ that breaks it and nothing else; selftest.py holds them to that.
"""
import os
import re
import subprocess
import sys

# ---- The house (docs/ARCHITECTURE.md). Arrows point to smaller numbers, or stay in their folder.
FLOORS = {"base": 10, "wire": 20, "quota": 22, "isolation": 22, "access": 22, "audit": 22,
          "scheduler": 30, "host": 30,
          "controller": 40, "node-agent": 40, "cli": 40, "console": 40, "controls": 40}
PURE = ("base", "wire", "quota", "isolation", "access", "audit", "scheduler",
        "controller/core", "node-agent/core")
# What the pure floors may include from outside; anything else there needs a line here.
PURE_HEADERS = {"inttypes.h", "limits.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h",
                "stdnoreturn.h", "string.h"}
PURE_EXCEPTIONS = {
    ("base/check.c", "stdlib.h"),  # abort: a broken promise ends the process
    ("base/check.c", "unistd.h"),  # write: says which one, without stdio
    ("base/check.c", "stdio.h"),
}
# Third-party header → the files that adapt it. Tests may include what they witness.
ADAPTERS = [
    (r"raft\.h|raft/.*", r"controller/replica\w*\.[ch]"),
    (r"rocksdb/.*", r"controller/store\w*\.c"),
    (r"microhttpd\.h", r"controller/api_http\w*\.[ch]"),
    (r"libvirt/.*", r"node-agent/host_domain\w*\.[ch]"),
    (r"netlink/.*", r"node-agent/host_net\.c"),
    (r"nanomsg/.*", r"host/bus\.c"),
    (r"seccomp\.h|cap-ng\.h|linux/landlock\.h", r"host/sandbox\w*\.c"),
    (r"cyaml/.*", r"host/conf\.c"),
    (r"curl/.*", r"cli/http\.c"),
    (r"protobuf-c/.*", r"wire/(wire|canonical)\.[ch]|controller/api_\w+\.[ch]"),
    (r"nettle/.*", r"audit/(sha256|ed25519)\.c|host/\w+\.c"),
    # TLS sessions, X.509 and key operations are three faces of one library.
    (r"gnutls/.*", r"host/\w+\.c|controller/api_\w+\.c|cli/\w+\.c|audit/\w+\.c"),
    # One adapter for each program that speaks JSON.
    (r"jansson\.h", r"controller/api_json\.c|cli/json\.c|node-agent/host_nft\.c"),
    (r"jemalloc/.*", r"controller/\w+\.c|host/\w+\.c|node-agent/\w+\.c"),
    # The loop is the frame that shells live in, not something to hide.
    (r"uv\.h", r"(host|controller|node-agent|cli)/\w+\.[ch]"),
    (r"criterion/.*|sanitizer/.*", r"tests/.*"),
]
KNOWN_SYSTEM = re.compile(
    r"(?:sys|linux|net|netinet|arpa|asm)/\w+\.h|[\w-]+\.pb-c\.h|"
    r"(?:assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|getopt|grp|ifaddrs|inttypes|libgen|limits|"
    r"locale|math|netdb|poll|pthread|pty|pwd|regex|sched|setjmp|signal|spawn|stdalign|stdarg|"
    r"stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|strings|syslog|termios|"
    r"threads|time|unistd|utime|wchar|wctype)\.h")

BANNED = {"strcpy", "strcat", "sprintf", "vsprintf", "gets", "atoi", "atol", "atof", "strtok",
          "rand", "srand", "random", "time", "system", "popen", "alloca", "tmpnam", "mktemp",
          "asprintf", "sleep", "usleep"}
BANNED_PURE = {"malloc", "calloc", "realloc", "free", "printf", "fprintf", "clock_gettime",
               "getrandom", "getenv", "open", "read", "write", "send", "recv", "fopen", "log_line",
               "pthread_create", "setlocale"}
BANNED_PURE_EXCEPTIONS = {("base/check.c", "write"), ("base/check.c", "fprintf")}
# Tests drive real processes and may run and wait for them; nothing else does.
BANNED_ANYWHERE_BUT_TESTS = {"sleep", "usleep", "random", "time", "popen", "system"}
CLOCK = re.compile(r"\b(clock_gettime|gettimeofday)\s*\(")
CLOCK_OWNER = "host/clock.c"

# What lies at the top of the tree. Anything else was left there by accident.
TOP = set(FLOORS) | {"tests", "deploy", "docs", "lab", "meson.build", "README.md", "LICENSE",
                     ".ci", ".clang-format", ".gitignore", ".shellcheckrc"}

MUTANTS = "base/mutant.h"  # Every line of its list: X(NAME, "group", "what was done wrong").

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 70

# Joined from halves, so that this file does not break its own rule.
WORDS = ["/wor" + "k/", "../sha" + "red", "/var/tmp/br" + "ief", "/var/tmp/" + "b/",
         "clau" + "de", "anthro" + "pic", "chat" + "gpt", "co" + "pilot", "language mo" + "del",
         "this ses" + "sion of", "another buil" + "der", "the bri" + "ef says",
         "farm-sand" + "box"]
WORKPLACE_ISSUE = re.compile(r"\biss" + r"ue\s+#?\d+", re.IGNORECASE)

SOURCE = (".c", ".h")
TEXT = SOURCE + (".proto", ".sh", ".py", ".md", ".build", ".sc", ".txt", ".yaml", ".yml", ".json",
                 ".service", ".sketch", ".in", ".css", ".js", ".html")
SKIP = re.compile(r"(^|/)(\.git|build[^/]*|__pycache__|fixtures|corpus|artifacts)(/|$)")
INVARIANT = re.compile(r"\bINV-[A-Z]+-\d+\b")


class Tree:
    """Every text file of the project, read once."""

    def __init__(self, root, kept):
        self.root = root
        self.kept = kept
        self.text = {}
        self.folders = set()
        for folder, names, files in os.walk(root):
            inside = os.path.relpath(folder, root)
            inside = "" if inside == "." else inside + "/"
            names[:] = sorted(n for n in names if not SKIP.search(inside + n))
            for name in files:
                path = inside + name
                if path.endswith(TEXT) or name in ("lab", "run", "LICENSE"):
                    with open(os.path.join(folder, name), encoding="utf-8") as file:
                        self.text[path] = file.read()
                    self.folders.add(inside.rstrip("/"))
        self.code = {p: blank(t) for p, t in self.text.items() if p.endswith(SOURCE)}

    def lines(self, path):
        return enumerate(self.text[path].split("\n"), 1)


def blank(text):
    """The same text with comments, strings and character constants emptied, lines kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
    keep = re.compile(r'^\s*#\s*include[^\n]*', re.M)
    spared = {m.start(): m.group(0) for m in keep.finditer(text)}
    out = re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    for start, line in spared.items():
        out = out[:start] + line + out[start + len(line):]
    return out


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def is_pure(path):
    return any(path.startswith(folder + "/") for folder in PURE)


def includes(tree, path):
    for match in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', tree.code[path], re.M):
        yield line_of(tree.code[path], match.start(2)), match.group(1) == '"', match.group(2)


def rule_floors(tree):
    for path in tree.code:
        top = path.split("/")[0]
        if top not in FLOORS:
            continue
        for line, ours, name in includes(tree, path):
            target = name.split("/")[0]
            if not ours or target not in FLOORS:
                continue
            if target != top and FLOORS[target] >= FLOORS[top]:
                yield path, line, f"{top} must not look up or sideways into {name}"
            elif is_pure(path) and name.startswith("host/"):
                yield path, line, f"a pure floor must not include {name}"
            elif is_pure(path) and target == top and not is_pure(name):
                yield path, line, f"the core must not include its shell: {name}"


def rule_circles(tree):
    graph = {p: [n for _, ours, n in includes(tree, p) if ours and n in tree.code]
             for p in tree.code}
    done, trail = set(), []

    def walk(path):
        if path in trail:
            return trail[trail.index(path):] + [path]
        if path in done:
            return None
        trail.append(path)
        for target in graph[path]:
            circle = walk(target)
            if circle:
                return circle
        trail.pop()
        done.add(path)
        return None

    for path in sorted(graph):
        trail.clear()
        circle = walk(path)
        if circle:
            yield circle[0], 1, "includes itself: " + " > ".join(circle)
            return


def rule_adapters(tree):
    for path in tree.code:
        for line, ours, name in includes(tree, path):
            if ours or path.startswith("tests/"):
                continue
            owner = next((where for what, where in ADAPTERS if re.fullmatch(what, name)), None)
            if owner is None and not KNOWN_SYSTEM.fullmatch(name):
                yield path, line, f"<{name}> has no adapter in tests/tidy/tidy.py"
            elif owner is not None and not re.fullmatch(owner, path):
                yield path, line, f"<{name}> belongs to {owner}"


def rule_pure(tree):
    for path in tree.code:
        if not is_pure(path):
            continue
        for line, ours, name in includes(tree, path):
            adapted = any(re.fullmatch(what, name) and re.fullmatch(where, path)
                          for what, where in ADAPTERS)
            if not (ours or name in PURE_HEADERS or name.endswith(".pb-c.h") or adapted
                    or (path, name) in PURE_EXCEPTIONS):
                yield path, line, f"a pure floor must not include <{name}>"
        for match in re.finditer(r"\b(\w+)\s*\(", tree.code[path]):
            if match.group(1) in BANNED_PURE and (
                    (path, match.group(1)) not in BANNED_PURE_EXCEPTIONS):
                before = tree.code[path][:match.start()].rstrip()
                if not before.endswith((".", "->")):
                    yield path, line_of(tree.code[path], match.start()), f"{match.group(1)}()"
        for match in re.finditer(r"^\s*static\s+(?!const\b|inline\b)[^;({]*[;=]",
                                 tree.code[path], re.M):
            if " const " not in match.group(0):
                yield (path, line_of(tree.code[path], match.end()),
                       "static data that can change")


def rule_banned(tree):
    for path, code in tree.code.items():
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", code):
            name = match.group(1)
            if name in BANNED and not (path.startswith("tests/")
                                       and name in BANNED_ANYWHERE_BUT_TESTS):
                yield path, line_of(code, match.start()), f"{name}() is banned"
        if path != CLOCK_OWNER and not path.startswith("tests/"):
            for match in CLOCK.finditer(code):
                if not is_pure(path):
                    yield path, line_of(code, match.start()), f"only {CLOCK_OWNER} reads clocks"
        for match in re.finditer(r"\bNDEBUG\b", code):
            yield path, line_of(code, match.start()), "CHECK is never compiled out"


def rule_sizes(tree):
    for path, text in tree.text.items():
        count = text.count("\n")
        if path.endswith(SOURCE + (".proto", ".sh", ".py")) and count > FILE_LINES_MAX:
            yield path, count, f"{count} lines; {FILE_LINES_MAX} is refused"
        if not path.endswith(".c"):
            continue
        opened = None
        for number, line in tree.lines(path):
            if line == "{":
                opened = number
            elif line == "}" and opened is not None:
                if number - opened - 1 > FUNCTION_LINES_MAX:
                    yield path, opened, f"a function of {number - opened - 1} lines"
                opened = None


def rule_invariants(tree):
    listed = {}
    for number, line in (tree.lines("docs/INVARIANTS.md")
                         if "docs/INVARIANTS.md" in tree.text else []):
        for name in INVARIANT.findall(line)[:1]:
            listed.setdefault(name, number)
    code, tests = {}, set()
    for path, text in tree.text.items():
        if path.endswith(".md") or path.startswith("tests/tidy/"):
            continue
        for match in INVARIANT.finditer(text):
            if path.startswith("tests/"):
                tests.add(match.group(0))
            else:
                code.setdefault(match.group(0), (path, line_of(text, match.start())))
    for name, (path, line) in sorted(code.items()):
        if name not in listed:
            yield path, line, f"{name} is not in docs/INVARIANTS.md"
    for name, line in sorted(listed.items()):
        if name not in code:
            yield "docs/INVARIANTS.md", line, f"{name} is not cited beside a check"
        if name not in tests:
            yield "docs/INVARIANTS.md", line, f"{name} is not cited in a test"


def rule_dead(tree):
    builds = "\n".join(t for p, t in tree.text.items() if p.endswith("meson.build"))
    quoted = set(re.findall(r"'([^'\n]*)'", builds))
    included = {n for p in tree.code for _, ours, n in includes(tree, p) if ours}
    included |= {os.path.basename(n) for n in included}
    for path in tree.text:
        name = os.path.basename(path)
        stem, kind = os.path.splitext(name)
        if kind == ".c":
            names = {name, stem, re.sub(r"^(test|bench|fuzz|sim)_", "", stem)}
            if not names & quoted and not any(q.endswith("/" + name) for q in quoted):
                yield path, 1, "no meson.build builds it"
        elif kind == ".h" and path not in included and name not in included:
            yield path, 1, "nobody includes it"
        elif kind in (".sh", ".py") and not re.match(r"\d\d", name):
            if not any(re.search(r"\b" + re.escape(stem) + r"\b", t)
                       for p, t in tree.text.items() if p != path):
                yield path, 1, "nobody calls it"


def rule_blanks(tree):
    for path, text in tree.text.items():
        if path.endswith(".json") or not text:
            continue
        for number, line in tree.lines(path):
            if line != line.rstrip():
                yield path, number, "trailing space"
            if "\t" in line and path.endswith(SOURCE + (".py", ".proto", ".build")):
                yield path, number, "a tab"
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield path, text.count("\n"), "ends with exactly one newline"


def rule_words(tree):
    for path in tree.text:
        if path == "LICENSE":
            continue
        for number, line in tree.lines(path):
            low = line.lower()
            for word in WORDS:
                if word in low:
                    yield path, number, f"a word of the workplace: {word}"
            if WORKPLACE_ISSUE.search(line):
                yield path, number, "an issue number of the workplace"
            if re.search(r"\b(TODO|FIXME|XXX)\b(?!\(#\d+\))", line) and (
                    not path.startswith(("tests/tidy/", "docs/STYLE"))):
                yield path, number, "TODO without a number: write TODO(#N)"


def rule_heads(tree):
    for path in tree.code:
        if not tree.text[path].startswith("/*"):
            yield path, 1, "opens with a comment: what it decides, what it never does"
    for folder in sorted(tree.folders):
        if folder and not folder.startswith(".") and folder + "/README.md" not in tree.text:
            yield folder, 1, "a folder without README.md"


def rule_mutants(tree):
    """Each mistake of base/mutant.h is made in one place of the product, and none besides."""
    listed, used = {}, {}
    for match in re.finditer(r'^    X\((\w+), "(\w+)", "([^"]+)"\)', tree.text.get(MUTANTS, ""), re.M):
        line = line_of(tree.text[MUTANTS], match.start())
        if match.group(1) in listed:
            yield MUTANTS, line, f"{match.group(1)} is listed twice"
        listed[match.group(1)] = line
    for path in tree.code:
        if path == MUTANTS or path.split("/")[0] not in FLOORS:
            continue
        for match in re.finditer(r"\bMUTANT\((\w+)\)", tree.code[path]):
            used.setdefault(match.group(1), []).append((path, line_of(tree.code[path], match.start())))
    for name, places in sorted(used.items()):
        if name not in listed:
            yield (*places[0], f"{name} is not in {MUTANTS}")
        for place in places[1:]:
            yield (*place, f"{name} is made in {places[0][0]} already: one change each")
    for name, line in sorted(listed.items()):
        if name not in used:
            yield MUTANTS, line, f"{name} is made nowhere"


def kept_by_git(root):
    """The paths that a checkout keeps; None for a bare tree."""
    if not os.path.exists(os.path.join(root, ".git")):
        return None
    asked = subprocess.run(["git", "-c", f"safe.directory={root}", "-C", root, "ls-files", "-z"],
                           capture_output=True, text=True, check=True)
    return [path for path in asked.stdout.split("\0") if path]


def rule_top(tree):
    """In a checkout only what is kept counts; of a bare tree, everything."""
    there = [n for n in os.listdir(tree.root) if not SKIP.search(n)]
    names = {path.split("/")[0] for path in (there if tree.kept is None else tree.kept)}
    for name in sorted(names - TOP):
        yield name, 1, "nothing of this name belongs at the top of the tree"


RULES = {name[5:]: rule for name, rule in sorted(globals().items()) if name.startswith("rule_")}


def violations(root, kept):
    tree = Tree(root, kept)
    return [(name, *found) for name, rule in RULES.items() for found in rule(tree)]


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "..", ".."))
    found = violations(root, kept_by_git(root))
    for name, path, line, what in found:
        print(f"{name} {path}:{line} {what}")
    print(f"tidy: {len(found)} violations of {len(RULES)} rules")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
