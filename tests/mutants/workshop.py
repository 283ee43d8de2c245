"""Copies of the tree in which something is broken on purpose: copy, build, run a test, tell.

Used by tests/mutants/run and tests/lessons/run.  A test's time is limited by the processor time it
takes, so that a busy machine does not look like a hanging test; a machine in QEMU is also stopped
when it says nothing for long.

SPDX-License-Identifier: BSD-2-Clause
"""
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import time
from collections import namedtuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOP = ("Makefile", "boot", "include", "kernel", "lib", "programs", "servers", "tests", "tools")
KERNEL_BOOT = "tests/guest/kernel/boot.script"
GUEST_CPU_SECONDS = 240
GUEST_SILENT_SECONDS = 60

# passed: the test ran to its end and found nothing (but what was known).  how: what ended it.
Outcome = namedtuple("Outcome", "passed how output")


def failed_tests(output):
    """The names of the tests that said FAIL."""
    return re.findall(r"^FAIL (\w+)", output, re.M)


def ended_as_known(output, known):
    """The suite ran to its end, and nothing failed but tests known to fail."""
    last = re.findall(r"^(\d+) passed, (\d+) failed$", output, re.M)
    names = failed_tests(output)
    return bool(last) and last[-1][0] != "0" and int(last[-1][1]) == len(names) and set(names) <= set(known)


def write_if_changed(path, content):
    """Write a file, unless it is like this already: what is built from it then stays."""
    try:
        with open(path, "rb") as file:
            if file.read() == content:
                return
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def allow_warnings(makefile):
    """What a change leaves unused is no error.  Locals start as a pattern, so that no result is chance."""
    changed = re.sub(rb"^WARNINGS := .*", b"WARNINGS := -std=c17 -w -ftrivial-auto-var-init=pattern", makefile,
                     flags=re.M)
    if changed == makefile:
        raise SystemExit("the Makefile has no line `WARNINGS := ...`")
    return changed


def tree_files():
    """Paths of all files of the tree, from its top."""
    for name in TOP:
        if os.path.isfile(os.path.join(ROOT, name)):
            yield name
        for folder, _, files in os.walk(os.path.join(ROOT, name)):
            if not folder.endswith("__pycache__"):
                for file in files:
                    yield os.path.relpath(os.path.join(folder, file), ROOT)


def copy_tree(target, change=lambda path, content: content):
    """The tree as it is now, but for what `change` makes of a file; what is built there stays."""
    wanted = set(tree_files())
    for folder, folders, files in os.walk(target):
        if folder == target and "build" in folders:
            folders.remove("build")
        for file in files:
            if os.path.relpath(os.path.join(folder, file), target) not in wanted:
                os.remove(os.path.join(folder, file))
    for path in sorted(wanted):
        source, copy = os.path.join(ROOT, path), os.path.join(target, path)
        with open(source, "rb") as file:
            content = file.read()
        if path == "Makefile":
            content = allow_warnings(content)
        write_if_changed(copy, change(path, content))
        shutil.copymode(source, copy)
    link_library(target)


def link_library(target):
    """The C library is built once, in the tree itself."""
    newlib = os.path.join(ROOT, "build", "newlib")
    link = os.path.join(target, "build", "newlib")
    os.makedirs(newlib, exist_ok=True)
    os.makedirs(os.path.dirname(link), exist_ok=True)
    if not os.path.islink(link):
        os.symlink(os.path.realpath(newlib), link)


def make(tree, *words, jobs=2):
    """make in a tree, silently.  Returns the output if it failed, else None."""
    environment = {name: value for name, value in os.environ.items()
                   if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "BUILD", "VARIANT", "MAKEOVERRIDES")}
    done = subprocess.run(["make", "-j%d" % jobs, *words], cwd=tree, env=environment, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return None if done.returncode == 0 else done.stdout


def build_folder(variant=""):
    """Where a variant is built, from the top of the tree."""
    return "build/gcc" + ("-" + variant if variant else "")


def has_variant(variant, tree=ROOT):
    """Is there a variant of this name?"""
    return os.path.exists(os.path.join(tree, "tests/variants", variant, "variant.mk"))


def limit_cpu(seconds):
    """For a child: its processor time."""
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return limit


def run_host(command, cpu_seconds, cwd, known=(), to_the_end=False):
    """A host test: any status but 0 is a failure, unless only tests that are known to fail did."""
    try:
        done = subprocess.run(command, cwd=cwd, env=dict(os.environ, **({} if to_the_end else {"CHECK_FIRST": "1"})),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, preexec_fn=limit_cpu(cpu_seconds),
                              timeout=cpu_seconds * 20 + 60)
    except subprocess.TimeoutExpired:
        return Outcome(False, "timeout", "")
    output = done.stdout.decode(errors="replace")
    if done.returncode == 0:
        return Outcome(True, "", output)
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return Outcome(False, "timeout", output)
    if ended_as_known(output, known):
        return Outcome(True, "", output)
    failed = [name for name in failed_tests(output) if name not in known]
    return Outcome(False, failed[0] if failed else "crash", output)


def make_archive(tree, variant, path, entry, text_file):
    """The boot archive with one file replaced."""
    folder = build_folder(variant)
    subprocess.run(["tools/mkarchive", path, folder, "%s=%s" % (entry, text_file)], cwd=tree, check=True,
                   stdout=subprocess.DEVNULL)


def kernel_archive(tree, variant, path):
    """The archive that starts the kernel's tests."""
    make_archive(tree, variant, path, "etc/boot", os.path.join(tree, KERNEL_BOOT))


def guest_archive(tree, variant, path, command):
    """The archive whose shell runs one command."""
    script = path + ".script"
    open(script, "w").write(command + "\n")
    make_archive(tree, variant, path, "etc/script", script)


def run_guest(tree, build, archive, append="", known=(), to_the_end=False):
    """A suite in QEMU: stopped at its first FAIL that is not known, and when it says nothing for long."""
    environment = dict(os.environ, BUILD=build, ARCHIVE=archive, APPEND=append)
    for name in ("BOOT", "FILE", "ICOUNT", "ISO", "CPU", "MEM", "TIMEOUT", "QEMU_EXTRA"):
        environment.pop(name, None)
    machine = subprocess.Popen(["tools/run"], cwd=tree, env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                               preexec_fn=limit_cpu(GUEST_CPU_SECONDS))
    output, outcome = b"", None
    while outcome is None:
        ready, _, _ = select.select([machine.stdout], [], [], GUEST_SILENT_SECONDS)
        piece = os.read(machine.stdout.fileno(), 65536) if ready else None
        if piece is None:
            outcome = Outcome(False, "timeout", text_of(output))
        elif piece == b"":
            break
        else:
            output += piece
            failed = [name for name in failed_tests(whole_lines(output)) if name not in known]
            if failed and not to_the_end:
                outcome = Outcome(False, failed[0], text_of(output))
    stop_group(machine)
    return outcome or guest_verdict(machine.returncode, text_of(output), known)


def text_of(output):
    """The machine's output as text."""
    return output.replace(b"\r", b"").decode(errors="replace")


def whole_lines(output):
    """The text without a last line that has not ended."""
    return text_of(output).rpartition("\n")[0] + "\n"


def stop_group(machine):
    """End the emulator and the script that started it."""
    try:
        if machine.poll() is None and not wait_a_moment(machine):
            os.killpg(machine.pid, signal.SIGTERM)
            if not wait_a_moment(machine):
                os.killpg(machine.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    machine.wait()
    machine.stdout.close()


def wait_a_moment(machine):
    """Has it ended within a second?"""
    for _ in range(20):
        if machine.poll() is not None:
            return True
        time.sleep(0.05)
    return False


def guest_verdict(status, output, known):
    """What the whole output of a machine that ended by itself says."""
    if ended_as_known(output, known) and (status == 0) == (not failed_tests(output)):
        return Outcome(True, "", output)
    failed = [name for name in failed_tests(output) if name not in known]
    return Outcome(False, failed[0] if failed else "panic" if "panic" in output.lower() else "status %s" % status,
                   output)
