"""Runs every bench in turn, again and again, and writes what was found into docs/benchmarks.md.

Usage: scripts/bench [--rounds N] [--steps N] [--print]
In each round every program has its turn, so that what disturbs the machine disturbs all of them.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- numbers: begin -->", "<!-- numbers: end -->"
RESUME_STEPS, EVENTS_A_STEP = 2_000, 50
MEMORY_STEPS = 10_000


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--steps", type=int, default=2_000)
    options.add_argument("--print", action="store_true", help="leave the page as it is")
    options = options.parse_args()
    program, folder = build()
    load = os.getloadavg()[0]
    found = measure(program, folder, options)
    text = page(found, options, (load, os.getloadavg()[0]))
    print(text)
    if not options.print:
        write(text)


def build():
    """The benches, as `cargo bench` builds them: with the profile that is shipped."""
    say("building")
    command = ["cargo", "bench", "--workspace", "--locked", "--bench", "hprun-bench", "--no-run", "--message-format", "json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    made = [m for m in messages if m.get("reason") == "compiler-artifact" and m["target"]["name"] == "hprun-bench"]
    program = pathlib.Path(made[-1]["executable"])
    # Beside what cargo builds, where the benches of hprun have their folders too: the same disk for all.
    return program, program.parent.parent.parent / "tmp"


def measure(program, folder, options):
    python = os.environ["HPRUN_BENCH_PYTHON"]
    found = collections.defaultdict(list)

    def take(*command):
        say(" ".join(pathlib.Path(part).name for part in map(str, command)))
        with tempfile.TemporaryDirectory(dir=folder) as own:
            command = [str(own) if part is FRESH else str(part) for part in command]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        for line in done.stdout.splitlines():
            one = json.loads(line)
            found[one["what"]].append(one)

    for _ in range(options.rounds):
        found["sync"].append(sync(folder))
        take(program, "round", options.steps)
        take(python, HERE / "dbos_bench.py", FRESH, options.steps, "delete")
        take(python, HERE / "dbos_bench.py", FRESH, options.steps, "wal")
        take(python, HERE / "pypyr_bench.py", FRESH, options.steps)
        take(program, "resume", RESUME_STEPS)
    for shape in ["chain", "independent"]:
        take(program, "memory", shape, MEMORY_STEPS)
    return found


# Stands for an empty folder in a command.
FRESH = object()


def sync(folder):
    """How long the disk takes to make 4 KiB durable that overwrite what was there."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(b"x" * 4096 * 200)
        os.fsync(file.fileno())
        times = []
        for i in range(200):
            began = time.perf_counter()
            os.pwrite(file.fileno(), b"y" * 4096, 4096 * i)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    return {"seconds": statistics.median(times)}


def page(found, options, load):
    steps = options.steps
    rate = lambda what: spread([steps / one["seconds"] for one in found[what]], "{:,.0f}")
    commits = lambda what: f"{statistics.median(one['commits'] for one in found[what]):,.0f}"
    pairs = list(zip(found["chain"], found["bare"]))
    ratios = [chain["seconds"] / bare["seconds"] for chain, bare in pairs]
    calm = [chain["step"] / bare["step"] for chain, bare in pairs]
    dbos = found["dbos-chain-delete"][0]
    lines = [
        *machine(load),
        "",
        f"| {steps:,} steps that do nothing | steps a second | commits |",
        "|---|--:|--:|",
        f"| a bare loop of the commits that a chain needs | {rate('bare')} | {commits('bare')} |",
        f"| hprun, a chain | {rate('chain')} | {commits('chain')} |",
        f"| hprun, independent, `--max-parallel 8` | {rate('independent-8')} | {commits('independent-8')} |",
        f"| hprun, independent, `--max-parallel 64` | {rate('independent-64')} | {commits('independent-64')} |",
        f"| dbos {dbos['version']}, a chain, as it sets SQLite up (journal `delete`, synchronous `FULL`) | {rate('dbos-chain-delete')} | one a step |",
        f"| dbos {dbos['version']}, a chain, its file set to WAL (synchronous `FULL`) | {rate('dbos-chain-wal')} | one a step |",
        f"| pypyr {found['pypyr-chain'][0]['version']}, a chain; records nothing | {rate('pypyr-chain')} | none |",
        "",
        "| | aim | found |",
        "|---|--:|--:|",
        f"| a chain to its bare commits, time of all | 1.3 at most | {spread(ratios, '{:.2f}')} |",
        f"| the same, median time of a step | 1.3 at most | {spread(calm, '{:.2f}')} |",
        f"| a chain to dbos as it is | 10 times as fast | {times(found, 'chain', 'dbos-chain-delete')} |",
        f"| a chain to dbos on WAL | | {times(found, 'chain', 'dbos-chain-wal')} |",
        f"| independent steps (64 at once) to dbos as it is | 10 times as fast | {times(found, 'independent-64', 'dbos-chain-delete')} |",
        f"| resume, {found['resume'][0]['events']:,} events, {RESUME_STEPS:,} steps | 300 ms at most | {spread([one['seconds'] * 1e3 for one in found['resume']], '{:.0f}')} ms |",
        f"| `hprun outputs` on the same, the whole process | | {spread([one['seconds'] * 1e3 for one in found['outputs']], '{:.0f}')} ms |",
        *[memory(found, shape) for shape in ["Chain", "Independent"]],
        "",
        "| Resume, part by part | ms |",
        "|---|--:|",
        *[f"| {part} | {spread([one['parts'][part] * 1e3 for one in found['resume']], '{:.1f}')} |" for part in found["resume"][0]["parts"]],
        "",
        f"Reading and checking a pipeline of {steps:,} steps took {spread([one['seconds'] * 1e3 for one in found['check-Chain']], '{:.0f}')} ms, "
        f"planning it {spread([one['seconds'] * 1e3 for one in found['plan-Chain']], '{:.1f}')} ms; that is not in the times above. "
        f"pypyr's first run, which reads its file, made {spread([steps / one['with_reading'] for one in found['pypyr-chain']], '{:,.0f}')} steps a second. "
        f"One sync of 4 KiB took this disk {spread([one['seconds'] * 1e6 for one in found['sync']], '{:,.0f}')} µs.",
    ]
    return "\n".join(lines)


def machine(load):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")), platform.machine())
    kind = "virtual machine" if "hypervisor" in open("/proc/cpuinfo", encoding="utf-8").read() else "machine"
    memory = next(int(line.split()[1]) for line in open("/proc/meminfo", encoding="utf-8") if line.startswith("MemTotal")) / 1024**2
    rust = subprocess.run(["rustc", "--version"], cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True).stdout.split()[1]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=False, text=True).stdout.strip()
    kernel = platform.release().split("-")[0]
    return [
        f"{datetime.date.today()}, hprun at {commit or 'no commit'}, Rust {rust}, Python {platform.python_version()}. "
        f"A {kind}: {os.cpu_count()} cores ({cpu}), {memory:.0f} GB, {disk()}, Linux {kernel}. "
        f"Load at the beginning {load[0]:.1f}, at the end {load[1]:.1f}."
    ]


def disk():
    """The kind of disk that the benches wrote to."""
    df = subprocess.run(["df", "--output=source,fstype", str(ROOT)], stdout=subprocess.PIPE, check=True, text=True).stdout
    source, kind = df.splitlines()[1].split()
    bus = "a virtio disk" if pathlib.Path(source).name.startswith("vd") else "an NVMe disk" if "nvme" in source else "a disk"
    return f"{kind} on {bus}"


def memory(found, shape):
    (one,) = found[f"memory-{shape}"]
    peak, checked = one["peak_kib"] / 1024, one["checked_kib"] / 1024
    what = "a chain" if shape == "Chain" else "independent"
    return f"| most memory, {one['steps']:,} steps, {what} | 60 MB at most | {peak:.0f} MB ({checked:.0f} when checked) |"


def times(found, fast, slow):
    """How many times as fast, round by round: what disturbs a round disturbs both."""
    runs = len(found[fast]) // len(found[slow])
    rounds = [found[fast][runs * i : runs * (i + 1)] for i in range(len(found[slow]))]
    return spread([one["seconds"] / statistics.mean(run["seconds"] for run in own) for one, own in zip(found[slow], rounds)], "{:.1f}") + " times"


def spread(values, form):
    middle, low, high = (form.format(pick(values)) for pick in (statistics.median, min, max))
    return middle if low == high else f"{middle} ({low}–{high})"


def write(text):
    page = PAGE.read_text(encoding="utf-8")
    head, rest = page.split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}", encoding="utf-8")
    say(f"{PAGE.relative_to(ROOT)} is written")


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
