"""Processes that are killed, disks that are full, folders that vanish: real ones, on loopback."""

import ctypes
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from taugda.__main__ import main
from taugda.record import Run
from taugda.runs.files import read_json
from taugda.runs.machine import BusyError
from taugda.runs.plan import make_plan
from taugda.runs.sweeps import read_sweep

UPDATES = 12
SEEDS = [0, 1]
VALUES = {"updates": UPDATES, "wait": 0.25, "fail_at": 0}
NO_CLUSTER = "the extra 'cluster' is not installed"


@pytest.fixture
def sweep(toy):
    """A project with a sweep of two runs of some seconds."""
    toy.training()
    toy.write(
        "sweeps/seeds.yaml",
        f"notebook: train\nbase: {{updates: {UPDATES}, wait: 0.25}}\ngrid: {{seed: {SEEDS}}}\n",
    )
    return toy


def start(*arguments, **options):
    """Start a batch in a session of its own, as a terminal would."""
    command = [sys.executable, "-m", "taugda", "run", *arguments, "--no-report"]
    return subprocess.Popen(
        command, start_new_session=True, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, **options,
    )  # fmt: skip


def finish(process, status=0):
    output, _ = process.communicate(timeout=180)
    assert process.returncode == status, output
    return output


def wait_for(condition, seconds=90):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid):
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def is_free(toy, stem, run="default"):
    # The system frees a lock some moments after the last process that held it counts as dead.
    with suppress(BusyError):
        toy.hold(stem, run).close()
        return True
    return False


def none_left(toy):
    """Wait until every kernel is gone: a second on an idle machine, five at most are promised."""
    wait_for(lambda: not any(map(alive, toy.ledger("begin", 2))), 5)


def at_work(toy):
    """Names of the runs that have got so far that a checkpoint is worth something."""
    files = toy.project.checkpoints.glob("01_train/*/state.json")
    return {file.parent.name for file in files if (read_json(file) or {"done": 0})["done"] >= 2}


def check(toy, resumed=0):
    """Every run ended with the undisturbed numbers, and left nothing behind."""
    assert set(toy.ledger("end")) == set(SEEDS)
    plan = make_plan(toy.project, read_sweep(toy.project, toy.project.sweeps / "seeds.yaml"))
    assert [item.state for item in plan] == ["up to date"] * len(SEEDS)
    found = [toy.metrics("01_train", item.run) for item in plan]
    assert [values["sum"] for values in found] == [
        sum(random.Random(f"{seed}-{number + 1}").random() for number in range(UPDATES))
        for seed in SEEDS
    ]
    assert sum(values["from"][-1] > 0 for values in found) >= resumed
    names = {path.name for path in (toy.project.runs / "01_train").iterdir()}
    assert names == {item.run for item in plan}
    assert list((toy.project.checkpoints / "01_train").iterdir()) == []
    none_left(toy)
    for name in names:
        wait_for(lambda name=name: is_free(toy, "01_train", name))


# Kills


@pytest.mark.parametrize(
    ("engine", "kill"),
    [("threads", "command"), ("threads", "group"), ("threads", "interrupt"), ("local", "command"),
     ("local", "interrupt"), ("cluster", "interrupt"), ("cluster", "scheduler")],
)  # fmt: skip
def test_the_same_command_goes_on_after_the_batch_was_ended(sweep, request, engine, kill):
    options = ["seeds.yaml", "-j", "2"]
    if engine == "local":
        pytest.importorskip("distributed", reason=NO_CLUSTER)
        options += ["--scheduler", "local"]
    elif engine == "cluster":
        cluster = request.getfixturevalue("cluster")
        options += ["--scheduler", cluster.address]
    batch = start(*options)
    begun = 1 if engine == "local" else 2
    wait_for(lambda: len(at_work(sweep)) >= begun)
    if kill == "scheduler":
        cluster.processes[0].kill()
    elif kill == "command":
        batch.kill()
    else:
        os.killpg(batch.pid, signal.SIGINT if kill == "interrupt" else signal.SIGKILL)
    output, _ = batch.communicate(timeout=60)
    none_left(sweep)
    if kill == "interrupt":
        assert batch.returncode == 130
        assert output.endswith("taugda: interrupted; finished runs are kept\n")
    elif kill == "scheduler":
        assert batch.returncode == 1
        assert f"the scheduler at {cluster.address} is gone; finished runs are kept" in output
        assert "Traceback" not in output
        for process in cluster.processes:
            process.wait(60)
    if engine == "threads":
        runs = sweep.project.runs / "01_train"
        assert list(runs.iterdir() if kill == "interrupt" else runs.glob("*/done.json")) == []
    elif engine == "local":
        wait_for(lambda: not any(map(alive, sweep.ledger("begin", 3))))
    # Which engine goes on does not matter.
    finish(start("seeds.yaml", "-j", "2"))
    check(sweep, resumed=begun)


@pytest.mark.parametrize("together", [0, 2])
def test_a_killed_kernel_fails_its_runs_which_go_on_from_their_checkpoints(sweep, together):
    """Those that share one go on together, so that they end with an undisturbed run's numbers."""
    sweep.training(together=together)
    batch = start("seeds.yaml", "-j", "2", "--retries", "1")
    wait_for(lambda: at_work(sweep))
    os.kill(sweep.ledger("begin", 2)[0], signal.SIGKILL)
    output = finish(batch)
    for text in ("the kernel died (killed, or out of memory)", "trying again (1 of 1)"):
        assert output.count(text) == (2 if together else 1)
    if together:
        killed, *others = sweep.ledger("begin", 2)
        assert len(set(others)) == 1 and killed not in others
    check(sweep, resumed=1)


def test_two_commands_on_one_folder_share_the_work(sweep):
    first, second = start("seeds.yaml", "-j", "1"), start("seeds.yaml", "-j", "1")
    outputs = [finish(first), finish(second)]
    assert sorted(sweep.ledger("begin")) == SEEDS
    assert any("is at work on it; waiting for its end" in output for output in outputs)
    check(sweep)


def test_a_lock_outlives_its_command_with_a_kernel_that_does_not_notice(toy):
    # A cell that is stuck in C, and lets no other thread of its process run.
    toy.notebook(
        "01_toy",
        "import ctypes, os\n(run.project.root / 'kernel').write_text(str(os.getpid()))\n"
        "ctypes.PyDLL(None).sleep(100_000)",
        "run.finish()",
    )
    batch, file = start("toy"), toy.project.root / "kernel"
    wait_for(lambda: file.exists() and file.read_text())
    holder = f"process {batch.pid} on {socket.gethostname()} (since"
    kernel = int(file.read_text())
    time.sleep(1)  # until it is stuck; the test holds all the same where it is not yet
    batch.kill()
    batch.communicate()
    try:
        with pytest.raises(BusyError, match="is at work on it") as caught:
            toy.hold()
        assert caught.value.holder.startswith(holder)
        assert alive(kernel)
    finally:
        os.kill(kernel, signal.SIGKILL)
    wait_for(lambda: is_free(toy, "01_toy"))


def test_a_run_that_never_ends_meets_its_time_limit(toy):
    toy.training()
    toy.notebook(
        "02_endless",
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "(run.project.root / 'child').write_text(str(child.pid))\n"
        "time.sleep(300)",
        "run.finish()",
    )
    output = finish(start("endless", "train", "-j", "2", "--time-limit", "15s"), 1)
    assert "02_endless/default: FAILED (the time limit of 15 s is over)" in output
    assert "01_train/default: done" in output
    child = int((toy.project.root / "child").read_text())
    wait_for(lambda: not alive(child), 10)
    assert read_json(toy.run("02_endless", "default.failed") / "failed.json")["duration"] >= 15


# Disks


def test_a_full_disk_fails_the_run_and_nothing_half_written_is_taken_for_whole(toy):
    toy.notebook("01_toy", "run.measure('numbers', list(range(40_000)))", "run.finish()")
    toy.notebook("02_small", "run.measure('n', n)", "run.finish()")

    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (100_000, 100_000))
    output = finish(start("toy", "small", preexec_fn=limit), 1)
    assert "01_toy/default: FAILED (OSError: [Errno 27] File too large" in output
    assert "02_small/default: done" in output
    assert not toy.run("01_toy").exists()
    assert toy.states(("toy", {})) == ["failed before"]
    finish(start("toy"))
    assert len(toy.metrics("01_toy")["numbers"]) == 40_000


@pytest.mark.parametrize("what", ["outputs", "outputs/runs"])
def test_an_output_folder_that_vanishes_fails_the_run(sweep, what):
    batch = start("seeds.yaml", "--only", "*seed=1*")
    wait_for(lambda: at_work(sweep))
    shutil.rmtree(sweep.project.root / what)
    output = finish(batch, 1)
    assert "FAILED (its output folder was removed while it ran)" in output
    assert list(sweep.project.runs.glob("01_train/*/done.json")) == []
    finish(start("seeds.yaml", "--only", "*seed=1*"))
    assert sweep.states(("train", {**VALUES, "seed": 1})) == ["up to date"]


def test_a_checkout_that_cannot_be_written_is_run_with_outputs_elsewhere(toy, tmp_path):
    toy.notebook("01_toy", "run.measure('n', n)", "run.finish()")
    outputs, root = tmp_path / "elsewhere", toy.project.root
    for path in (root, *root.rglob("*")):
        path.chmod(path.stat().st_mode & ~0o222)
    # PR_CAPBSET_DROP of CAP_DAC_OVERRIDE: root may write everywhere otherwise.
    obey = partial(ctypes.CDLL(None).prctl, 24, 1, 0, 0, 0)
    output = finish(start("toy", preexec_fn=obey), 2)
    assert "the output folder outputs cannot be written (Permission denied)" in output
    environment = {**os.environ, "TAUGDA_OUTPUTS": str(outputs)}
    finish(start("toy", preexec_fn=obey, env=environment))
    assert read_json(outputs / "runs/01_toy/default/metrics.json") == {"n": {"value": 3}}
    assert not (root / "outputs").exists()


# Notebooks that are open, outside of any batch


@pytest.mark.parametrize("end", ["leave", "finish", "kill"])
def test_a_batch_leaves_a_run_to_the_notebook_that_is_open(sweep, end):
    code = (
        "from taugda.record import Run\n"
        f"run = Run('01_train', dict(seed=0, **{VALUES}))\n"
        "print(run.name, flush=True)\n"
        "if input() == 'finish':\n    run.measure('sum', 0)\n    run.finish()\n"
    )
    opened = subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    name = opened.stdout.readline().strip()
    with pytest.raises(
        BusyError, match=rf"01_train/{name}: an open notebook \(process {opened.pid}"
    ):
        Run("01_train", {**VALUES, "seed": 0})
    batch = start("seeds.yaml", "-j", "1")
    wait_for(lambda: sweep.ledger("end") == [1])
    if end == "kill":
        opened.kill()
    opened.communicate(f"{end}\n", timeout=60)
    output = finish(batch)
    assert f"01_train/{name}: an open notebook (process {opened.pid}" in output
    assert "is at work on it; waiting for its end" in output
    # Training that was done by hand is kept, like that of other code.
    assert sweep.ledger("begin") == ([1] if end == "finish" else [1, 0])
    if end != "finish":
        check(sweep)


# Dask, with scheduler and workers as processes of their own


@pytest.fixture
def cluster(tmp_path):
    distributed = pytest.importorskip("distributed", reason=NO_CLUSTER)
    file, processes = str(tmp_path / "scheduler.json"), []
    for command in (
        ["scheduler", "--port", "0"],
        # Threads, of which a worker may have several, are of no importance to the kernels.
        ["worker", "--nworkers", "2", "--nthreads", "2", "--local-directory", str(tmp_path)],
    ):
        options = ["--scheduler-file", file, "--host", "127.0.0.1", "--no-dashboard"]
        processes.append(subprocess.Popen(
            [sys.executable, "-m", "dask", *command, *options], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        ))  # fmt: skip
    try:
        # The scheduler may be writing it at this moment; its own workers read it so, too.
        address = distributed.utils.json_load_robust(file, timeout=60)["address"]
        yield SimpleNamespace(address=address, processes=processes)
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_dask_survives_the_loss_of_a_worker_and_of_the_client(sweep, cluster):
    assert cluster.address.startswith("tcp://127.0.0.1:")
    batch = start("seeds.yaml", "--scheduler", cluster.address)
    wait_for(lambda: at_work(sweep))
    kernel, worker = (sweep.ledger("begin", column)[0] for column in (2, 3))
    os.kill(worker, signal.SIGKILL)  # the process that executes the notebook, not its nanny
    wait_for(lambda: not alive(kernel), 5)
    wait_for(lambda: len(sweep.ledger("begin")) >= 3)
    batch.kill()
    batch.communicate()
    finish(start("seeds.yaml", "--scheduler", cluster.address))
    check(sweep, resumed=1)


def test_a_scheduler_that_is_not_there_is_refused(sweep, capsys, monkeypatch):
    pytest.importorskip("distributed", reason=NO_CLUSTER)
    monkeypatch.setattr("taugda.runs.batch._CONNECT", 1)
    assert main(["run", "seeds.yaml", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "no scheduler answers at 'tcp://127.0.0.1:9'" in capsys.readouterr().err
    assert main(["run", "seeds.yaml", "--scheduler", "here"]) == 2
    assert "expected 'local' or an address such as" in capsys.readouterr().err
    assert sweep.ledger("begin") == []
