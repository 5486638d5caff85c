#!/usr/bin/env python3
"""Records histories of the lab that runs now while it is broken at random, and has them judged.

    run.py --build DIR --out DIR [--histories 1] [--seconds 60] [--seed S] [--clients 8]
           [--kinds kill,stop,cut,full]

Needs root, a lab of three controllers (deploy/lab, by UDATSU_LAB_LABEL or the checkout's own) with
the image `plain`, and the programs udatsu-record and udatsu-judge of DIR. Each history has two fresh
tenants. It is sound when udatsu-judge finds it clean, the controllers agree on one digest, and both
tenants' audit exports verify offline. Exit status 1 when one is not.

For each, the directory keeps SEED.history (tests/history/lines.h) and SEED.faults, one line a fault,
times since the history's first moment:

    fault at=12.345s for=2.000s kill c2           power off, and on again
    fault at=3.100s for=0.000s kill c1 engine     kill -9 of one program; its parent starts it anew
    fault at=20.000s for=1.500s stop c2 engine    SIGSTOP, SIGCONT
    fault at=30.250s for=4.000s cut c1->c2        nothing that c1 sends reaches c2
    fault at=41.000s for=5.000s full c3           no free block on the disk of its log and mirror

This file orchestrates: it judges nothing but exit statuses.
"""
import argparse
import hashlib
import heapq
import json
import os
import random
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LAB = os.path.join(ROOT, "deploy/lab")
LABEL = os.environ.get("UDATSU_LAB_LABEL") or hashlib.sha256(ROOT.encode()).hexdigest()[:4]
STATE = f"/var/tmp/udatsu-lab-{LABEL}"
UDATSU = f"{STATE}/desk/udatsu"
CONTROLLERS = ("c1", "c2", "c3")
ENGINE_DISK = "/var/lib/udatsu/engine"
SMALL_BYTES = 384 << 20
REFILL_S = 0.4


def run(*command, **more):
    return subprocess.run(command, check=True, text=True, stdin=subprocess.DEVNULL,
                          capture_output=True, **more).stdout


def udatsu(*words, **more):
    return run(UDATSU, *words, **more)


def within(seconds, what, command):
    """Calls until it is true; a refusal of udatsu is not yet."""
    end = time.monotonic() + seconds
    while True:
        try:
            if command():
                return
        except (subprocess.CalledProcessError, OSError, ValueError):
            pass
        if time.monotonic() > end:
            raise RuntimeError(f"not within {seconds} s: {what}")
        time.sleep(0.2)


# ---- Machines ----

def address(machine):
    return f"10.98.0.{10 + int(machine[1:])}"


def init_pid(machine):
    done = subprocess.run([f"{LAB}/enter.sh", "--pid", machine], text=True, capture_output=True,
                          stdin=subprocess.DEVNULL)
    return int(done.stdout) if done.returncode == 0 and done.stdout else 0


def program_pids(machine, program):
    for pid in run("ip", "netns", "pids", f"ud-{LABEL}-{machine}").split():
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().strip() == f"udatsu-{program}":
                    yield int(pid)
        except OSError:
            pass


def signal_program(machine, program, number):
    for pid in program_pids(machine, program):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def power_off(machine):
    pid = init_pid(machine)
    if pid:
        os.kill(pid, signal.SIGKILL)


def power_on(machine):
    if init_pid(machine):
        return
    within(30, f"{machine} is off", lambda: not list(
        run("ip", "netns", "pids", f"ud-{LABEL}-{machine}").split()))
    run(f"{LAB}/machine.sh", machine)


def fill_path(machine):
    pid = init_pid(machine)
    return f"/proc/{pid}/root{ENGINE_DISK}/fill" if pid else None


def fill(machine):
    """To the last block; the mirror gives some back now and then, so this is done again."""
    path = fill_path(machine)
    if path is None:
        return
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:
        return
    try:
        for size in (1 << 24, 1 << 20, 1 << 16, 1 << 12):
            while True:
                end = os.fstat(file).st_size
                os.posix_fallocate(file, end, size)
    except OSError:
        fill_rest(file)
    finally:
        os.close(file)


def fill_rest(file):
    for size in (1 << 22, 1 << 18, 1 << 14, 1 << 12):
        try:
            while True:
                os.posix_fallocate(file, os.fstat(file).st_size, size)
        except OSError:
            continue


def empty(machine):
    path = fill_path(machine)
    if path is not None and os.path.exists(path):
        os.unlink(path)


def cut(one, other):
    rules = (f"table inet cut_{other} {{\n chain out {{\n  type filter hook output priority 0\n"
             f"  ip daddr {address(other)} drop\n }}\n}}\n")
    subprocess.run(["ip", "netns", "exec", f"ud-{LABEL}-{one}", "nft", "-f", "-"], check=True,
                   text=True, input=rules)


def mend(one, other):
    subprocess.run(["ip", "netns", "exec", f"ud-{LABEL}-{one}", "nft", "delete", "table", "inet",
                    f"cut_{other}"], check=False, capture_output=True)


def small_disk(machine):
    """Power off, its engine's files onto a small file system of their own, power on."""
    disk = f"{STATE}/machines/{machine}"
    if os.path.exists(f"{disk}/engine.ext4"):
        return
    power_off(machine)
    within(30, f"{machine} is off", lambda: not init_pid(machine))
    with open(f"{disk}/engine.ext4", "wb") as file:
        file.truncate(SMALL_BYTES)
    run("mkfs.ext4", "-q", "-m", "0", f"{disk}/engine.ext4")
    run("unshare", "--mount", "sh", "-c",
        'mount -o loop "$1/engine.ext4" /mnt && rmdir /mnt/lost+found && '
        'cp -a --sparse=never "$1/lib/engine/." /mnt/ && '
        'chown --reference="$1/lib/engine" /mnt && chmod --reference="$1/lib/engine" /mnt',
        "small", disk)
    power_on(machine)
    within(90, f"{machine} is back", agree)


def agree():
    """Reachable, fit, one index and one digest."""
    said = [(c["applied_index"], c["digest_index"], c["digest"])
            for c in json.loads(udatsu("-o", "json", "controller", "ls"))
            if c["reachable"] and c["fit"] and c["digest"]]
    status = json.loads(udatsu("-o", "json", "cluster", "status"))
    return len(said) == len(CONTROLLERS) and len(set(said)) == 1 and not status.get(
        "ledger_mismatches")


# ---- Faults ----

# A leader that stands still and comes back is what tells most: it may not know yet that others lead.
KINDS = (("kill", 3), ("kill engine", 3), ("kill api", 1), ("stop engine", 6), ("cut", 3), ("full", 2))


def leader():
    """Whoever led a moment ago, as any controller that answers believes; None: nobody says."""
    try:
        status = udatsu("--timeout", "1s", "-o", "json", "cluster", "status", "--consistency",
                        "stale", timeout=2)
        return json.loads(status)["leader"] or None
    except (subprocess.SubprocessError, ValueError, KeyError):
        return None


def plan(seed, seconds, kinds):
    """[(at, for, words)]: at most two at once, never two of one machine, over before the end. Every
    other one strikes whoever leads then, if that machine is not struck already."""
    chance = random.Random(seed)
    odds = [kind for kind in KINDS if kind[0].split()[0] in kinds]
    faults, busy, at = [], [], 1.0 + chance.random() * 2
    while odds and at < seconds - 4:
        busy = [b for b in busy if b[0] > at]
        free = [c for c in CONTROLLERS if c not in {m for _, m in busy}]
        if len(busy) < 2:
            kind = chance.choices([k for k, _ in odds], [w for _, w in odds])[0]
            machine = chance.choice(free)
            lasts = {"kill": (0.5, 5), "kill engine": (0, 0), "kill api": (0, 0),
                     "stop engine": (0.3, 2.5), "cut": (0.5, 6), "full": (2, 6)}[kind]
            lasting = min(chance.uniform(*lasts), seconds - 2 - at)
            first, *rest = kind.split()
            words = " ".join([first, machine, *rest])
            if kind == "cut":
                words = f"cut {machine}->{chance.choice([c for c in CONTROLLERS if c != machine])}"
            faults.append((at, lasting, words, chance.random() < 0.5))
            busy.append((at + lasting + 0.7, machine))
        at += chance.expovariate(1 / 1.5)
    return faults


def at_leader(words, busy):
    """The same fault, of the leader's machine instead."""
    machine = words.split()[1].split("->")[0]
    chosen = leader()
    if chosen is None or chosen in busy:
        return words
    swap = {machine: chosen, chosen: machine}
    return " ".join("->".join(swap.get(part, part) for part in word.split("->"))
                    for word in words.split())


def begin(words):
    what, where, *program = words.split()
    if what == "kill" and program:
        signal_program(where, program[0], signal.SIGKILL)
    elif what == "kill":
        power_off(where)
    elif what == "stop":
        signal_program(where, program[0], signal.SIGSTOP)
    elif what == "cut":
        cut(*where.split("->"))
    else:
        fill(where)


def end(words):
    what, where, *program = words.split()
    if what == "kill" and not program:
        power_on(where)
    elif what == "stop":
        signal_program(where, program[0], signal.SIGCONT)
    elif what == "cut":
        mend(*where.split("->"))
    elif what == "full":
        empty(where)


def nemesis(faults, start_ns, alive):
    """Does what was planned; returns what was done, with the moments at which it was."""
    queue, done, began, words_of = [], [], {}, {}
    for number, (at, *_) in enumerate(faults):
        heapq.heappush(queue, (at, "begin", number))
    while queue and alive():
        at, what, number = heapq.heappop(queue)
        _, lasting, words, of_leader = faults[number]
        wait = at - (time.monotonic_ns() - start_ns) / 1e9
        if wait > 0:
            time.sleep(wait)
        if what == "begin":
            busy = {w.split()[1].split("->")[0] for w in words_of.values()}
            words = at_leader(words, busy) if of_leader else words
            if words.split()[1].split("->")[0] in busy:
                continue  # Another one was moved there.
            words_of[number] = words
        words = words_of[number]
        now = (time.monotonic_ns() - start_ns) / 1e9
        if what == "begin":
            began[number] = now
            begin(words)
            heapq.heappush(queue, (now + lasting, "end", number))
            if words.startswith("full"):
                heapq.heappush(queue, (now + REFILL_S, "again", number))
        elif what == "again":
            if now + REFILL_S < began[number] + lasting:
                begin(words)
                heapq.heappush(queue, (now + REFILL_S, "again", number))
        else:
            end(words)
            del words_of[number]
            done.append((began[number], (time.monotonic_ns() - start_ns) / 1e9, words))
    return sorted(done)


def heal():
    for machine in CONTROLLERS:
        if not init_pid(machine):
            power_on(machine)
        signal_program(machine, "engine", signal.SIGCONT)
        empty(machine)
        for other in CONTROLLERS:
            mend(machine, other)


# ---- One history ----

def enrol(tenant):
    udatsu("tenant", "create", tenant, "--cap", "vcpus=400,memory=64G,instances=10,networks=100")
    udatsu("user", "create", f"{tenant}-user", "--role", "tenant", "--tenant", tenant)
    token = udatsu("user", "token", f"{tenant}-user")
    subprocess.run([UDATSU, "user", "enroll", "--out", f"{STATE}/desk/{tenant}"], check=True,
                   text=True, input=token, capture_output=True)


def as_tenant(tenant, *words):
    desk = f"{STATE}/desk/{tenant}"
    papers = dict(os.environ, UDATSU_CERT=f"{desk}/cert.pem", UDATSU_KEY=f"{desk}/key.pem")
    return udatsu("--tenant", tenant, *words, env=papers)


def tidy_up(tenants):
    """Guests of this history do not run during the next one."""
    for tenant in tenants:
        for instance in json.loads(as_tenant(tenant, "-o", "json", "instance", "ls")):
            if instance["state"] in ("starting", "running", "stopping", "failed"):
                as_tenant(tenant, "--yes", "--no-wait", "instance", "delete", instance["name"])


def exports_verify(tenants, path):
    for tenant in tenants:
        as_tenant(tenant, "audit", "export", path)
        udatsu("audit", "verify", path, "--key", f"{STATE}/desk/log.pub")
        os.unlink(path)


def recorder(arguments, seed, tenants, out):
    desk = f"{STATE}/desk"
    words = [f"{arguments.build}/tests/history/udatsu-record", f"seed={seed}", f"out={out}",
             f"seconds={arguments.seconds}", f"clients={arguments.clients}",
             f"pace_ms={arguments.pace}", f"ca={desk}/ca.pem", f"cert={desk}/cert.pem",
             f"key={desk}/key.pem"]
    words += [f"endpoint={address(c)}:8443" for c in CONTROLLERS]
    for letter, tenant in zip("ab", tenants):
        words += [f"tenant_{letter}={tenant}", f"cert_{letter}={desk}/{tenant}/cert.pem",
                  f"key_{letter}={desk}/{tenant}/key.pem"]
    return subprocess.Popen(["nsenter", f"--net=/run/netns/ud-{LABEL}-mgmt", *words], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)


def one_history(arguments, seed):
    """The sentence of what is not sound; None: it is."""
    out = os.path.join(arguments.out, f"{seed}.history")
    tenants = (f"red-{seed}", f"blue-{seed}")
    for tenant in tenants:
        enrol(tenant)
    faults = plan(seed, arguments.seconds, arguments.kinds)
    process = recorder(arguments, seed, tenants, out)
    started = process.stdout.readline().split()
    if not started or started[0] != "start":
        process.wait()
        return "the recorder did not start"
    try:
        done = nemesis(faults, int(started[1]), lambda: process.poll() is None)
        heal()
        said = process.stdout.read().strip()
    except BaseException:
        process.kill()
        heal()
        raise
    with open(os.path.join(arguments.out, f"{seed}.faults"), "w", encoding="ascii") as file:
        for begun, ended, words in done:
            file.write(f"fault at={begun:.3f}s for={ended - begun:.3f}s {words}\n")
    if process.wait() != 0:
        return "the recorder failed"
    print(f"seed={seed} faults={len(done)} {said}", flush=True)
    within(90, "the controllers agree", agree)
    judged = subprocess.run([f"{arguments.build}/tests/history/udatsu-judge", out], text=True,
                            capture_output=True)
    print(judged.stdout + judged.stderr, end="", flush=True)
    exports_verify(tenants, os.path.join(arguments.out, "export"))
    tidy_up(tenants)
    return None if judged.returncode == 0 else "udatsu-judge refuses it"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--histories", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pace", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", type=lambda text: text.split(","), default="kill,stop,cut,full")
    arguments = parser.parse_args()
    first = arguments.seed or random.SystemRandom().randrange(1, 1 << 31)
    os.makedirs(arguments.out, exist_ok=True)
    print(f"seeds {first} to {first + arguments.histories - 1}", flush=True)
    if "full" in arguments.kinds:
        for machine in CONTROLLERS:
            small_disk(machine)
    unsound = 0
    for seed in range(first, first + arguments.histories):
        try:
            why = one_history(arguments, seed)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            why = str(error)
        print(f"seed={seed} {'sound' if why is None else 'NOT SOUND: ' + why}", flush=True)
        unsound += 0 if why is None else 1
    print(f"{arguments.histories} histories, {unsound} not sound")
    return 1 if unsound else 0


if __name__ == "__main__":
    sys.exit(main())
