"""Decides what ./lab bench prints: report.py RESULTS VOID GIT-HASH, where RESULTS holds one JSON
object a line as the bench programs printed them and VOID counts the rounds that did not count.
Ratios are taken within a round and their median is quoted; a floor that was not reached is said as
plainly as one that was, and so is what the replicas listed of what was acknowledged. Never drops a
round.
"""
import json
import os
import statistics
import subprocess
import sys

FLOORS = {  # name: (what the ratio is, least, most)
    "p50_at_1": ("our p50 at 1 in flight / etcd's", None, 1.0),
    "rate_at_256": ("our creates a second at 256 in flight / etcd's transactions", 3.0, None),
    "rate_batched": ("our creates a second in batches / the better of etcd's at 256 and 1024",
                     10.0, None),
    "failover_p99_ms": ("leader's engine kill -9 to the next 202, p99, ms", None, 1000.0),
}


def version(*command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "absent"
    return text.stdout.splitlines()[0].strip()


def package(name):
    return version("dpkg-query", "-W", "-f", "${Version}", name)


def of(rows, round_number, bench, in_flight, batch=None):
    for row in rows:
        if (row.get("round") == round_number and row["bench"] == bench
                and row["in_flight"] == in_flight and row.get("batch") == batch):
            return row
    raise SystemExit(f"round {round_number} has no {bench} at {in_flight}")


def spread(values):
    return {"median": round(statistics.median(values), 3), "least": round(min(values), 3),
            "most": round(max(values), 3), "rounds": [round(value, 3) for value in values]}


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def compare(rows):
    rounds = sorted({row["round"] for row in rows if "round" in row})
    sides = {}
    ratios = {"p50_at_1": [], "rate_at_64": [], "rate_at_256": [], "rate_batched": []}
    for number in rounds:
        etcd = {n: of(rows, number, "etcd-txn", n) for n in (1, 64, 256, 1024)}
        ours = {n: of(rows, number, "api-create", n, 1) for n in (1, 64, 256)}
        batched = of(rows, number, "api-create", 1024, 128)
        ratios["p50_at_1"].append(ours[1]["p50_ms"] / etcd[1]["p50_ms"])
        ratios["rate_at_64"].append(ours[64]["per_second"] / etcd[64]["per_second"])
        ratios["rate_at_256"].append(ours[256]["per_second"] / etcd[256]["per_second"])
        best = max(etcd[256]["per_second"], etcd[1024]["per_second"])
        ratios["rate_batched"].append(batched["per_second"] / best)
        runs = [(f"etcd_{n}", etcd[n]) for n in etcd] + [(f"ours_{n}", ours[n]) for n in ours]
        for name, run in runs + [("ours_batched", batched)]:
            for key in ("per_second", "p50_ms", "p99_ms"):
                sides.setdefault(name, {}).setdefault(key, []).append(run[key])
    return ({name: spread(values) for name, values in ratios.items() if values},
            {name: {key: spread(values) for key, values in keys.items()}
             for name, keys in sides.items()})


def lists(rows):
    """What every replica listed of what was acknowledged: in each round, and between kills."""
    said = {}
    for row in rows:
        if row["bench"] == "api-list":
            by = said.setdefault(row.get("round", "kills"), {})
            sums = by.setdefault(row["endpoint"], {"acknowledged": 0, "listed": 0})
            for key in sums:  # A round has two cells.
                sums[key] += row[key]
    rounds = [by for number, by in said.items() if number != "kills"]
    answers = [row for by in said.values() for row in by.values()]
    after = [row["acknowledged"] for row in said.get("kills", {}).values()]
    return {
        "rounds": len(rounds),
        "replicas": min((len(by) for by in said.values()), default=0),
        "acknowledged": sum(max(row["acknowledged"] for row in by.values()) for by in rounds),
        "after_kills": max(after, default=0),
        "missing": sum(row["acknowledged"] - row["listed"] for row in answers),
    }


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.strip()]
    ratios, sides = compare(rows)
    reached = {name: ratios[name]["median"] for name in FLOORS if name in ratios}
    kills = [row["ms"] for row in rows if row["bench"] == "failover"]
    report = {
        "git": sys.argv[3],
        "rounds": len({row["round"] for row in rows if "round" in row}),
        "void_rounds": int(sys.argv[2]),
        "etcd": package("etcd-server"),
        "rocksdb": package("librocksdb7.8"),
        "libraft": package("libraft2"),
        "compiler": version("gcc", "--version"),
        "kernel": os.uname().release,
        "cpus": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "load_of_rounds": list({row["round"]: row["load"] for row in rows
                                if "round" in row}.values()),
        "tls": {"ours": "1.3, client certificates", "etcd": "none: generous to etcd"},
        "disk": "all six logs on one file system: not six failure domains",
        "lists": lists(rows),
        "ratios": ratios,
        "sides": sides,
        "scheduler": [row for row in rows if row["bench"] == "scheduler"],
    }
    if kills:
        report["failover_ms"] = {"kills": len(kills), "p50": quantile(kills, 0.5),
                                 "p99": quantile(kills, 0.99), "most": max(kills)}
        reached["failover_p99_ms"] = report["failover_ms"]["p99"]
    report["floors"] = {}
    for name, (what, least, most) in FLOORS.items():
        value = reached.get(name)
        met = value is not None and (least is None or value >= least) and (
            most is None or value <= most)
        report["floors"][name] = {"what": what, "least": least, "most": most, "reached": value,
                                  "met": met}
    print(json.dumps(report, indent=1))


main()
