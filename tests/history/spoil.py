#!/usr/bin/env python3
"""Makes a sound history into one that no honest cell could have told.

    spoil.py HOW FROM TO

    none     nothing is changed: that it can be read and written is seen
    stale    a read of an object sees what an earlier read saw, although it has changed since
    lost     what was acknowledged is not in its list at the end
    twice    a request that was acknowledged is acknowledged under its key again, with another number
    revived  an object that was gone is seen again at the end, as it was
    charged  an account is charged for one instance more than there are
    cut      a list that was read leaves its newest element out, which had been seen
    form     a field that nobody knows

It knows the format from tests/history/lines.h alone.
"""
import json
import sys


def sights(events):
    """(event, sight) of reads of one object that was there, in order of their moments."""
    for event in events:
        if event["f"] == "read" and event["outcome"] == "ok":
            for sight in event.get("sights", []):
                yield event, sight


def stale(events):
    seen = {}
    for event, sight in sights(events):
        if sight["kind"] == "network" or sight["stage"] == "absent":
            continue
        at = (sight["object"], sight.get("id"))
        older = seen.setdefault(at, (event, dict(sight)))
        if older[1]["revision"] < sight["revision"] and older[0]["return"] < event["invoke"]:
            for between, newer in list(sights(events)):
                if newer is not sight and (newer["object"], newer.get("id")) == at and (
                        newer["revision"] > older[1]["revision"]) and (
                        between["return"] < event["invoke"]):
                    sight.clear()
                    sight.update(older[1])
                    return True
    return False


def finals(events):
    for event in events:
        for touch in event.get("touches", []):
            if touch.get("final") and touch["elements"]:
                yield touch


def acknowledged(events):
    return {touch["element"] for event in events if event["outcome"] == "ok"
            for touch in event.get("touches", []) if touch.get("append") and touch.get("element")}


def lost(events):
    known = acknowledged(events)
    for touch in finals(events):
        for element in touch["elements"]:
            if element in known:
                touch["elements"].remove(element)
                return True
    return False


def twice(events):
    for event in events:
        if event["outcome"] == "ok" and event.get("key") and event.get("operation"):
            again = json.loads(json.dumps(event))
            again["client"] += 100000
            again["invoke"] = event["return"] + 1
            again["return"] = event["return"] + 2
            again["operation"] = event["operation"] + 1000000
            again.pop("touches", None)
            events.append(again)
            return True
    return False


def revived(events):
    last = {}
    for event, sight in sights(events):
        if sight["kind"] != "instance":
            continue
        if sight["stage"] == "absent":
            before = last.get(sight["object"])
            if before is not None:
                again = json.loads(json.dumps(event))
                moment = max(e.get("return", e["invoke"]) for e in events)
                again.update({"client": 100000, "invoke": moment + 1, "return": moment + 2})
                again["sights"] = [before]
                again.pop("touches", None)
                events.append(again)
                return True
        else:
            last[sight["object"]] = dict(sight)
    return False


def charged(events):
    for event in events:
        if event["f"] == "account" and event["outcome"] == "ok" and "inventory" in event:
            event["charged"][2] += 1
            return True
    return False


def cut(events):
    known = acknowledged(events)
    seen = {}
    for event in events:
        for touch in event.get("touches", []):
            if "seen" not in touch or touch.get("more") or not touch["elements"]:
                continue
            newest = touch["elements"][-1]
            before = seen.get((touch["seen"], newest))
            if newest in known and before is not None and before < event["invoke"]:
                touch["elements"].pop()
                return True
            seen.setdefault((touch["seen"], newest), event["return"])
    return False


def form(events):
    events[0]["mood"] = "fair"
    return True


def none(_):
    return True


HOWS = {how.__name__: how for how in (none, stale, lost, twice, revived, charged, cut, form)}


def main():
    how, source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        head, *events = [json.loads(line) for line in file]
    if not HOWS[how](events):
        sys.exit(f"{source} has nothing to spoil: {how}")
    with open(target, "w", encoding="utf-8") as file:
        for line in [head, *events]:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")


main()
