#!/usr/bin/env python3
"""Spoils an audit export as somebody with everything but the signing key could.

    spoil.py byte FROM TO   flips one bit in the middle leaf
    spoil.py leaf FROM TO   changes one leaf and recomputes every hash that follows from it:
                            the leaf's, the sub-log's chain, the tree's root, the tenant map's
    spoil.py none FROM TO   recomputes everything and changes nothing: that it knows how is seen

It knows the format from audit/README.md alone and shares no code with the verifier.
"""
import base64
import hashlib
import json
import sys


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def put_varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def fields(data):
    at, out = 0, []
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        out.append((key, value))
    return out


def encode(parts):
    out = b""
    for key, value in parts:
        out += put_varint(key)
        if key & 7 == 0:
            out += put_varint(value)
        else:
            out += (put_varint(len(value)) if key & 7 == 2 else b"") + value
    return out


def leaf_hash(data):
    return hashlib.sha256(b"\0" + data).digest()


def root(hashes):
    if len(hashes) == 1:
        return hashes[0]
    half = 1
    while half * 2 < len(hashes):
        half *= 2
    return hashlib.sha256(b"\1" + root(hashes[:half]) + root(hashes[half:])).digest()


def text(data):
    return base64.b64encode(data).decode()


def rechained(leaves, victim):
    """Each leaf again, with the victim's log time changed, and what the signed map would say."""
    last, done = {}, []
    for number, leaf in enumerate(leaves):
        parts = []
        for key, value in fields(leaf):
            if key >> 3 == 5:
                continue
            parts.append((key, value ^ 1 if number == victim and key >> 3 == 7 else value))
        tenant = next((int.from_bytes(v, "little") for k, v in parts if k >> 3 == 3), 0)
        if tenant in last:
            parts.append((5 << 3 | 2, last[tenant][1]))
        parts.sort(key=lambda part: part[0] >> 3)
        leaf = encode(parts)
        last[tenant] = (last.get(tenant, (0, b""))[0] + 1, leaf_hash(leaf))
        done.append((leaf, dict(last)))
    return done


def map_root(chains):
    entries = []
    for tenant in sorted(chains):
        count, newest = chains[tenant]
        parts = [(1 << 3 | 1, tenant.to_bytes(8, "little"))] if tenant else []
        entries.append(leaf_hash(encode(parts + [(2 << 3, count), (3 << 3 | 2, newest)])))
    return root(entries)


def main():
    how, source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    leaves = [base64.b64decode(line["leaf"]) for line in lines if "leaf" in line]
    victim = len(leaves) // 2
    if how == "byte":
        spoilt = bytearray(leaves[victim])
        spoilt[len(spoilt) // 2] ^= 1
        done = [(bytes(spoilt) if n == victim else leaf, {}) for n, leaf in enumerate(leaves)]
    else:
        done = rechained(leaves, victim if how == "leaf" else -1)
    seen = 0
    with open(target, "w", encoding="utf-8") as file:
        for line in lines:
            if "leaf" in line:
                leaf = done[seen][0]
                said = line["hash"] if how == "byte" else text(leaf_hash(leaf))
                line = {"leaf": text(leaf), "hash": said}
                seen += 1
            elif "checkpoint" in line and how != "byte":
                note = line["checkpoint"].split("\n")
                note[2] = text(root([leaf_hash(leaf) for leaf, _ in done[:seen]]))
                note[3] = "tenant-map " + text(map_root(done[seen - 1][1]))
                line = {"checkpoint": "\n".join(note)}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


main()
