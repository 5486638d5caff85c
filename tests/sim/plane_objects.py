#!/usr/bin/env python3
"""The simulator runs what the daemons run. Decides: of every product object that is in the simulator,
each function and each table, public or static, has the same bytes in the simulator and in a daemon
as in the object itself, outside of what the linker fills in. Of the whole archives every object has
to be there; of the parts, those that the simulator took. Only the files of snapshots and of disks
have others in their places. Builds nothing, and says nothing of what the libraries do.

    plane_objects.py --simulator PROGRAM --daemons PROGRAM... --whole ARCHIVE... --parts ARCHIVE...

After that it spoils a byte of a function in the middle of a copy of the simulator, then of each
daemon, and must see it. Exit status 1 when something differs, or a spoilt copy is taken for sound.
"""
import os
import struct
import subprocess
import sys
import tempfile

ELSEWHERE = ("libserver.a.p/snapshot.c.o", "libcontroller_log.a.p/disk_file.c.o")
FUNCTION, OBJECT, FILE, LOCAL = 2, 1, 4, 0
PROGBITS, RELA, SYMTAB, ALLOCATED = 1, 4, 2, 2
LEAST_OBJECTS, LEAST_NAMES = 60, 1000
# What a relocation fills in: bytes before its place that the linker may rewrite with it (an access
# by way of a table that turns out to be near becomes a plain one), and bytes from there on.
FILLED = {1: (0, 8), 2: (0, 4), 4: (0, 4), 9: (2, 4), 10: (0, 4), 11: (0, 4), 22: (3, 4), 23: (0, 4),
          24: (0, 8), 41: (2, 4), 42: (3, 4)}


class Elf:
    """Sections and named pieces of a 64-bit little-endian file."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        self.path = path
        if self.bytes[:6] != b"\x7fELF\x02\x01":
            sys.exit(f"{path} is no 64-bit little-endian ELF file")
        at, = struct.unpack_from("<Q", self.bytes, 0x28)
        size, count = struct.unpack_from("<HH", self.bytes, 0x3A)
        # name, type, flags, address, offset, size, link, info, align, entry
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, at + i * size)
                         for i in range(count)]
        self.relocatable = struct.unpack_from("<H", self.bytes, 0x10)[0] == 1

    def text_at(self, table, offset):
        start = self.sections[table][4] + offset
        return self.bytes[start:self.bytes.index(b"\0", start)].decode()

    def pieces(self):
        """(source file or "" for a public one, name, section, offset in the file, size)"""
        source = ""
        for section in self.sections:
            if section[1] != SYMTAB:
                continue
            for at in range(section[4], section[4] + section[5], 24):
                name, info, _, home, value, size = struct.unpack_from("<IBBHQQ", self.bytes, at)
                kind, bind = info & 15, info >> 4
                if kind == FILE:
                    source = self.text_at(section[6], name)
                if kind not in (FUNCTION, OBJECT) or size == 0 or not 0 < home < len(self.sections):
                    continue
                where = self.sections[home]
                if where[1] != PROGBITS or not where[2] & ALLOCATED:
                    continue
                begin = value if self.relocatable else value - where[3]
                yield (source if bind == LOCAL else "", self.text_at(section[6], name), home,
                       where[4] + begin, size)

    def filled(self):
        """{section: offsets in the file that the linker fills in}"""
        found = {}
        for section in self.sections:
            if section[1] != RELA:
                continue
            base, places = self.sections[section[7]][4], found.setdefault(section[7], set())
            for at in range(section[4], section[4] + section[5], 24):
                offset, info = struct.unpack_from("<QQ", self.bytes, at)
                if info & 0xffffffff not in FILLED:
                    sys.exit(f"{self.path}: a relocation of kind {info & 0xffffffff}")
                before, after = FILLED[info & 0xffffffff]
                places.update(range(base + offset - before, base + offset + after))
        return found


class Program:
    def __init__(self, path):
        self.elf, self.known, self.places = Elf(path), {}, {}
        for source, name, _, at, size in self.elf.pieces():
            self.known.setdefault((source, name), []).append((at, size))

    def has(self, key, want, holes):
        """Some piece of this name is `want` outside of the holes."""
        for at, size in self.known.get(key, []):
            have = self.elf.bytes[at:at + size]
            if size == len(want) and all(
                    have[i] == want[i] or i in holes for i in range(size)):
                self.places.setdefault(key, at + next(i for i in range(size) if i not in holes))
                return True
        return False


def objects_of(archive):
    listed = subprocess.run(["ar", "t", archive], check=True, capture_output=True, text=True).stdout
    for name in listed.split():
        yield name if os.path.exists(name) else os.path.join(os.path.dirname(archive), name)


def pieces_of(path):
    """[((source, name), bytes, holes)] of an object."""
    elf = Elf(path)
    filled = elf.filled()
    for source, name, home, at, size in elf.pieces():
        holes = {place - at for place in filled.get(home, ()) if at <= place < at + size}
        if len(holes) < size:
            yield (source, name), bytes(elf.bytes[at:at + size]), holes


def compare(objects, simulator, daemons):
    """(objects, names, what differs). objects: [(path, whole, pieces)]"""
    taken, names, wrong = 0, 0, []
    for path, whole, pieces in objects:
        if not whole and not any(key in simulator.known for key, _, _ in pieces if key[0] == ""):
            continue
        taken += 1
        home = next((daemon for daemon in daemons
                     if any(key in daemon.known for key, _, _ in pieces if key[0] == "")), None)
        for key, want, holes in pieces:
            names += 1
            if not simulator.has(key, want, holes):
                wrong.append(f"{path}: {key[1]} is not the same in {simulator.elf.path}")
            if home is None or not home.has(key, want, holes):
                wrong.append(f"{path}: {key[1]} is not the same in "
                             f"{home.elf.path if home else 'any daemon'}")
    return taken, names, wrong


def sees_a_byte(objects, programs, which):
    """One bit of a static function in the middle of a copy of programs[which] is seen."""
    program = programs[which]
    keys = sorted(key for key in program.places if key[0] != "")
    at = program.places[keys[len(keys) // 2]]
    with tempfile.NamedTemporaryFile() as copy:
        spoilt = bytearray(program.elf.bytes)
        spoilt[at] ^= 1
        copy.write(spoilt)
        copy.flush()
        others = [Program(copy.name) if i == which else one for i, one in enumerate(programs)]
        wrong = compare(objects, others[0], others[1:])[2]
    name = keys[len(keys) // 2][1]
    print(f"a bit of {name} in a copy of {os.path.basename(program.elf.path)}:",
          "seen" if wrong else "NOT SEEN")
    return any(f": {name} is not the same in " in line for line in wrong)


def main(words):
    given = {}
    for word in words:
        if word.startswith("--"):
            given[word] = here = []
        else:
            here.append(word)
    programs = [Program(path) for path in given["--simulator"] + given["--daemons"]]
    objects = []
    for what in ("--whole", "--parts"):
        for archive in given[what]:
            for path in objects_of(archive):
                if not path.endswith(ELSEWHERE):
                    objects.append((path, what == "--whole", list(pieces_of(path))))
    taken, names, wrong = compare(objects, programs[0], programs[1:])
    print("\n".join(wrong[:20]))
    print(f"{taken} objects, {names} functions and tables, {len(wrong)} differ")
    if wrong or taken < LEAST_OBJECTS or names < LEAST_NAMES:
        return 1
    return 0 if all(sees_a_byte(objects, programs, i) for i in range(len(programs))) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
