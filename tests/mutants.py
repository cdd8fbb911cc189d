"""Breaks hprun, one way at a time, in a copy of the checkout, and runs the tests: each break must be noticed.

Usage: mutants.py [NAME…]    (without names: all of them)
Prints each break with the tests that noticed it; the exit code is 1 if one went unnoticed.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "mutants"
LIB, SUITE, STACK = "--lib", "--test=hprun-tests", "--test=deploy_stack"

# name: (file, the text that is there once, what stands there instead, where it may be noticed, which tests are run)
# The whole suite would take an hour; these are the parts that have to do with the break. The crash test is left out.
MUTANTS = {
    "forget to record a resource": (
        "steps/src/context.rs",
        "if self.history.contains(&record) { Ok(()) } else { self.record(record).await }",
        "{ let _ = record; Ok(()) }",
        [SUITE, STACK],
        ["killed::", "dies", "again", "stopped"],
    ),
    "presume a started step done": (
        "runner/src/state.rs",
        "step.status = if step.success.is_some() { Status::Held } else { Status::Waiting };",
        "step.status = if step.success.is_some() || step.attempts > 0 { Status::Held } else { Status::Waiting };",
        [LIB],
        ["engine::", "decide::", "state::"],
    ),
    "reuse a wrong output": (
        "runner/src/engine/prepare.rs",
        "let mut reasons = decide::changes(step, &prepared.given);",
        "let mut reasons: Vec<String> = Vec::new(); let _ = prepared;",
        [LIB],
        ["engine::", "decide::", "state::"],
    ),
    "a new token while the outcome is unknown": (
        "steps/src/context.rs",
        "&& self.outcome_of(&last.token).is_none()",
        "&& self.outcome_of(&last.token).is_some() && last.op.is_empty()",
        [LIB, SUITE, STACK],
        ["context::", "killed::", "dies", "lost", "again"],
    ),
    "the old token after a known failure": (
        "steps/src/context.rs",
        "            && self.outcome_of(&last.token).is_none()\n",
        "",
        [SUITE, STACK],
        ["endings::a_template", "endings::a_lifecycle", "again", "dies"],
    ),
    "skip the lock": (
        "runner/src/store/lock.rs",
        "Err(TryLockError::WouldBlock) => {}",
        "Err(TryLockError::WouldBlock) => break,",
        [LIB, SUITE],
        ["store::", "endings::a_run_that_goes_on"],
    ),
    "do what an event allows before it is on disk": (
        "runner/src/engine/record.rs",
        "        self.waiting.push(Box::new(act));",
        "        act(Ok(()));",
        [LIB],
        ["engine::"],
    ),
    "send before the intent is recorded": (
        "steps/src/context.rs",
        "        self.record(Record::CallIntended(record)).await?;\n        Ok(token)",
        "        self.history.push(Record::CallIntended(record));\n        Ok(token)",
        [SUITE, STACK],
        ["killed::", "dies", "lost"],
    ),
}


def main(names):
    unnoticed = []
    fresh_copy()
    for name in names or MUTANTS:
        file, old, new, targets, tests = MUTANTS[name]
        path = COPY / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} holds the text of '{name}' {text.count(old)} times"
        path.write_text(text.replace(old, new))
        began = time.monotonic()
        failed = run_tests(targets, tests)
        path.write_text(text)
        print(f"{name} ({file}): {len(failed)} tests noticed, {time.monotonic() - began:.0f} s", flush=True)
        for test in failed:
            print(f"    {test}", flush=True)
        if not failed:
            unnoticed.append(name)
    print(f"{len(names or MUTANTS)} breaks, {len(unnoticed)} unnoticed" + "".join(f"\n    {name}" for name in unnoticed))
    return 1 if unnoticed else 0


def fresh_copy():
    """The files that git knows, as they are in the checkout."""
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, COPY / name)


def run_tests(targets, tests):
    # The target folder is the checkout's: only what was broken, and what stands on it, is built anew.
    environment = dict(os.environ, CARGO_TARGET_DIR=str(ROOT / "target"), CARGO_TERM_COLOR="never", INSTA_UPDATE="no")
    command = ["cargo", "test", "--workspace", "--locked", "--no-fail-fast", *targets, "--", *tests, "--skip", "crash::"]
    ran = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True)
    if "error: could not compile" in ran.stderr:
        sys.exit(f"the broken code does not compile:\n{ran.stderr[-4000:]}")
    return sorted(set(re.findall(r"^test (\S+) \.\.\. FAILED$", ran.stdout, re.MULTILINE)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
