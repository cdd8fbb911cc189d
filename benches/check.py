"""How long `hprun check` takes, beside cfn-lint and `aws cloudformation validate-template` in the same run.

Usage: check.py HPRUN [--rounds N]. The AWS CLI is HPRUN_AWS (tests/tools.py) or `aws`, cfn-lint CFN_LINT or `cfn-lint`; one that is not there is left out.
Every number is the median of the rounds, least and most in brackets; each round gives every program its turn.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FULL = ROOT / "pipelines" / "full-deployment.yaml"
TEMPLATE = ROOT / "pipelines" / "templates" / "hyperpod-eks.yaml"
LARGEST = 1_000_000


def large_pipeline(folder, steps):
    """A chain of steps of three types that hand values on; each has a template, values, or both to look at."""
    (folder / "v.json.hbs").write_text('{"name": {{json name}}, "context": {{json context}}}\n')
    lines = ["apiVersion: hprun/v1", "name: large", "params:", "  prefix: { type: string, default: a }", "steps:"]
    for number in range(0, steps, 2):
        lines.append(f'  - {{ id: k{number}, type: update-kubeconfig, with: {{ cluster: "{{{{ params.prefix }}}}-{number}" }} }}')
        lines.append(
            f'  - {{ id: r{number}, type: render-config, with: {{ template: v.json.hbs, values: {{ name: "n-{{{{ params.prefix }}}}", context: "{{{{ steps.k{number}.outputs.context }}}}" }} }} }}'
        )
    path = folder / "large.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def large_template(folder):
    """A template of nearly 1 MB: 480 resources with conditions, references and long policies."""
    parts = ["Parameters:\n  Mode: { Type: String, Default: full }\nConditions:\n  Full: !Equals [!Ref Mode, full]\nResources:\n"]
    size = len(parts[0])
    for number in range(480):
        statements = "".join(
            f"            - {{ Effect: Allow, Action: 's3:GetObject', Resource: !Sub 'arn:aws:s3:::${{B{number // 2}}}/p{line}/*' }}\n"
            for line in range(34)
        )
        bucket = f"  B{number}: {{ Type: AWS::S3::Bucket, Condition: Full }}\n" if number < 240 else ""
        role = (
            f"{bucket}  P{number}:\n    Type: AWS::IAM::ManagedPolicy\n    Condition: Full\n    Properties:\n      PolicyDocument:\n"
            f"          Version: '2012-10-17'\n          Statement:\n{statements}"
        )
        if size + len(role) > LARGEST or number >= 250:
            break
        parts.append(role)
        size += len(role)
    template = folder / "large-template.yaml"
    template.write_text("".join(parts))
    path = folder / "large-template-pipeline.yaml"
    path.write_text(
        "apiVersion: hprun/v1\nname: large-template\nsteps:\n"
        "  - { id: s, type: deploy-stack, with: { name: s, template: large-template.yaml, template-bucket: b } }\n"
    )
    return path, template


def once(command, environment=None):
    began = time.perf_counter()
    ended = subprocess.run(command, env=environment, capture_output=True)
    return (time.perf_counter() - began) * 1000, ended


class Sandbox:
    """`hprun sandbox`, for the AWS CLI to talk to."""

    def __init__(self, hprun, folder):
        self.process = subprocess.Popen([hprun, "sandbox", "--world", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.environment = dict(os.environ)
        # Lines of `export NAME='value'`, the address first and NO_PROXY after all that the AWS CLI needs.
        for line in self.process.stdout:
            name, _, value = line.strip().removeprefix("export ").partition("=")
            self.environment[name] = value.strip("'")
            if name == "NO_PROXY":
                break

    def close(self):
        self.process.terminate()
        self.process.wait()


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("hprun")
    arguments.add_argument("--rounds", type=int, default=20)
    given = arguments.parse_args()
    hprun = str(pathlib.Path(given.hprun).resolve())
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        steps = large_pipeline(folder, 2000)
        large, template = large_template(folder)
        rows = {
            "`hprun check`, full-deployment, all files": ([hprun, "check", str(FULL)], None),
            "`hprun check`, a pipeline of 2,000 steps": ([hprun, "check", str(steps)], None),
            f"`hprun check`, a template of {template.stat().st_size // 1000} kB": ([hprun, "check", str(large)], None),
        }
        lint = os.environ.get("CFN_LINT") or shutil.which("cfn-lint")
        if lint:
            rows["cfn-lint, the template of full-deployment"] = ([lint, str(TEMPLATE)], None)
        aws = os.environ.get("HPRUN_AWS") or shutil.which("aws")
        sandbox = Sandbox(hprun, folder / "world") if aws else None
        if sandbox:
            body = f"file://{TEMPLATE}"
            rows["`aws cloudformation validate-template`, against the sandbox"] = (
                [aws, "cloudformation", "validate-template", "--template-body", body],
                sandbox.environment,
            )
        times = {row: [] for row in rows}
        for turn in range(given.rounds):
            for row, (command, environment) in rows.items():
                # What takes seconds is not repeated twenty times.
                if turn >= 3 and times[row] and statistics.median(times[row]) > 3000:
                    continue
                took, ended = once(command, environment)
                if turn == 0 and ended.returncode not in (0, 2, 4, 6, 8, 12, 14):
                    raise SystemExit(f"{row}: exit code {ended.returncode}\n{ended.stderr.decode()}")
                times[row].append(took)
        if sandbox:
            sandbox.close()
    print("| the whole process | median of | ms |\n|---|--:|--:|")
    for row, taken in times.items():
        print(f"| {row} | {len(taken)} | {statistics.median(taken):.1f} ({min(taken):.1f}–{max(taken):.1f}) |")


main()
