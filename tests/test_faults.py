"""Processes that are killed, disks that are full, folders that vanish: real ones, on loopback."""

import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

from taugda.__main__ import main
from taugda.runs import Run
from taugda.runs import lock as locks
from taugda.runs.attempt import attempt
from taugda.runs.errors import BusyError
from taugda.runs.files import read_json
from taugda.runs.lock import Lock
from taugda.runs.plan import make_plan
from taugda.runs.status import read_status
from taugda.runs.sweep import read_sweep

UPDATES = 12
SEEDS = [0, 1]


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
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output
    return output


def wait_for(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def alive(pid):
    try:
        state = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def checkpoints(toy, at_least=2):
    """Seeds of the runs that have got so far and are not finished."""
    found = set()
    for path in toy.project.checkpoints.glob("01_train/*/state.json"):
        try:
            state = json.loads(path.read_text())
        except FileNotFoundError:
            continue
        if state["done"] >= at_least:
            found.add(path.parent.name)
    return found


def owner(toy, run):
    return json.loads((toy.project.locks / "01_train" / f"{run}.lock").read_text())["owner"][0]


def undisturbed(seed):
    """The sum that the toy's training adds up, in the same order."""
    return sum(random.Random(f"{seed}-{number}").random() for number in range(1, UPDATES + 1))


def check(toy, resumed=None, executed_once=True):
    """Every run ended exactly once, with the undisturbed numbers, and left nothing behind."""
    ends = sorted(toy.ledger("end"))
    # A run that is interrupted between its last cell and its being put in place ends twice.
    assert (ends if executed_once else sorted(set(ends))) == SEEDS
    plan = make_plan(toy.project, read_sweep(toy.project, toy.project.sweeps / "seeds.yaml"))
    assert [item.state for item in plan] == ["up to date"] * len(SEEDS)
    starts = []
    for seed, item in zip(SEEDS, plan, strict=True):
        metrics = json.loads((toy.run("01_train", item.run) / "metrics.json").read_text())
        assert metrics["sum"]["value"] == undisturbed(seed)
        starts.append(metrics["from"]["value"])
    if resumed is not None:
        assert sum(len(entry) > 1 and entry[-1] > 0 for entry in starts) >= resumed
    assert {path.name for path in (toy.project.runs / "01_train").iterdir()} == {
        item.run for item in plan
    }
    assert list(toy.project.locks.rglob("*")) == [toy.project.locks / "01_train"]
    assert list((toy.project.checkpoints / "01_train").iterdir()) == []
    pids = [int(line.split()[2]) for line in (toy.project.root / "ledger").read_text().splitlines()]
    wait_for(lambda: not any(alive(pid) for pid in pids), 20)


# The local pool


def test_a_killed_worker_is_replaced_and_goes_on_from_the_checkpoint(sweep):
    batch = start("seeds.yaml", "-j", "2", "--retries", "1")
    wait_for(lambda: checkpoints(sweep))
    os.kill(owner(sweep, min(checkpoints(sweep))), signal.SIGKILL)
    output = finish(batch)
    assert output.count("its process ended without a result (exit status -9)") == 1
    assert "trying again (1 of 1)" in output
    check(sweep, resumed=1)
    (status,) = read_status(sweep.project)
    assert (status["name"], status["state"]) == ("seeds", "finished")
    assert status["counts"]["done"] == 2
    assert sorted(run["attempts"] for run in status["runs"]) == [1, 2]


def test_the_whole_group_is_killed_and_the_same_command_ends_the_work(sweep):
    batch = start("seeds.yaml", "-j", "2")
    wait_for(lambda: len(checkpoints(sweep)) == 2)
    (status,) = read_status(sweep.project)
    assert (status["state"], status["counts"]["running"]) == ("running", 2)
    os.killpg(batch.pid, signal.SIGKILL)
    batch.communicate()
    (status,) = read_status(sweep.project)
    assert status["state"] == "lost"
    assert list(sweep.project.runs.glob("01_train/*/done.json")) == []
    finish(start("seeds.yaml", "-j", "2"))
    check(sweep, resumed=2)


def test_two_batches_on_one_folder_share_the_work(sweep):
    first, second = start("seeds.yaml", "-j", "1"), start("seeds.yaml", "-j", "1")
    outputs = [finish(first), finish(second)]
    assert sorted(sweep.ledger("begin")) == SEEDS
    assert any("is at work on it" in output for output in outputs)
    check(sweep)
    assert {status["state"] for status in read_status(sweep.project)} == {"finished"}


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
    begin = time.monotonic()
    output = finish(start("endless", "train", "-j", "2", "--time-limit", "6s"), 1)
    assert time.monotonic() - begin < 60
    assert "02_endless/default: FAILED (the time limit of 6.0 s is over)" in output
    assert "01_train/default: done" in output
    child = int((toy.project.root / "child").read_text())
    wait_for(lambda: not alive(child), 10)
    assert toy.run("02_endless", "default.failed").is_dir()


# Disks


def test_a_full_disk_fails_the_run_and_nothing_half_written_is_taken_for_whole(toy):
    toy.notebook("01_toy", "run.measure('numbers', list(range(40_000)))", "run.finish()")
    toy.notebook("02_small", "run.measure('n', n)", "run.finish()")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    output = finish(start("toy", "small", preexec_fn=limit), 1)
    assert "01_toy/default: FAILED (OSError: [Errno 27] File too large" in output
    assert "02_small/default: done" in output
    assert not toy.run("01_toy").exists()
    assert [item.state for item in make_plan(toy.project, [("toy", {})])] == ["failed before"]
    finish(start("toy"))
    metrics = json.loads((toy.run("01_toy") / "metrics.json").read_text())
    assert len(metrics["numbers"]["value"]) == 40_000


@pytest.mark.parametrize("what", ["outputs", "outputs/runs"])
def test_an_output_folder_that_vanishes_fails_the_run(sweep, what):
    batch = start("seeds.yaml", "--only", "*seed=1*")
    wait_for(lambda: checkpoints(sweep))
    shutil.rmtree(sweep.project.root / what)
    output = finish(batch, 1)
    assert "FAILED" in output
    assert "folder was removed" in output
    assert list(sweep.project.runs.glob("01_train/*/done.json")) == []
    if what == "outputs/runs":
        finish(start("seeds.yaml", "--only", "*seed=1*"))
        plan = make_plan(sweep.project, [("train", {"updates": UPDATES, "wait": 0.25, "seed": 1})])
        assert [item.state for item in plan] == ["up to date"]


# Locks


def test_a_lock_is_held_by_one(toy):
    one, other = Lock(toy.project, "01_toy", "n=1.5"), Lock(toy.project, "01_toy", "n=1.5")
    assert one.acquire() is None
    assert f"process {os.getpid()} on" in other.acquire()
    assert other.owner() == one.owner()
    other.release()
    assert one.beat()
    assert Lock(toy.project, "01_toy", "n=1").acquire() is None
    one.release()
    assert one.owner() is None
    assert other.acquire() is None
    assert not one.beat()


def test_a_dead_owners_lock_is_taken_and_its_kernel_ended(toy):
    kernel = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                              start_new_session=True)  # fmt: skip
    code = (
        "import sys; from taugda.runs import Project; from taugda.runs.lock import Lock\n"
        "lock = Lock(Project.find(), '01_toy', 'default')\n"
        f"assert lock.acquire() is None; lock.name_kernel({kernel.pid})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    lock = Lock(toy.project, "01_toy", "default")
    assert lock.owner() is None
    assert lock.acquire() is None
    assert kernel.wait(10) == -signal.SIGKILL
    kernel.stdin.close()
    assert lock.owned()


def test_an_owner_elsewhere_counts_as_dead_after_a_while(toy):
    lock = Lock(toy.project, "01_toy", "default")
    lock.path.parent.mkdir(parents=True)
    lock.path.write_text(json.dumps(
        {"token": "x", "host": "far", "place": "far", "owner": [os.getpid(), None], "kernel": None}
    ))  # fmt: skip
    assert lock.acquire() == f"process {os.getpid()} on far"
    past = time.time() - locks.STALE - 5
    os.utime(lock.path, (past, past))
    assert lock.acquire() is None
    # One that was created and not yet written is somebody's, too.
    lock.release()
    lock.path.touch()
    assert lock.acquire() == "a process that starts at this moment"


def test_a_process_number_given_anew_is_no_owner(toy):
    lock = Lock(toy.project, "01_toy", "default")
    assert lock.acquire() is None
    content = json.loads(lock.path.read_text())
    content["owner"][1] = "1"
    lock.path.write_text(json.dumps(content))
    assert Lock(toy.project, "01_toy", "default").acquire() is None
    assert not lock.owned()


# Notebooks that are open, outside of any batch


VALUES = {"updates": UPDATES, "wait": 0.25, "fail_at": 0}
OPEN = """import sys
from taugda.runs import Run
run = Run("01_train", dict(updates=12, wait=0.25, fail_at=0, seed=int(sys.argv[1])))
print(run.name, flush=True)
if input() == "finish":
    run.finish()
"""


@pytest.fixture
def opened(sweep):
    """A function that opens the notebook of a sweep's run in a process of its own."""
    processes = []

    def open_notebook(seed=0):
        process = subprocess.Popen(
            [sys.executable, "-c", OPEN, str(seed)], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )  # fmt: skip
        processes.append(process)
        return process, process.stdout.readline().strip()

    yield open_notebook
    for process in processes:
        process.kill()
        process.communicate()


def close(process, word="leave"):
    """Let an open notebook's process end by itself."""
    process.stdin.write(f"{word}\n")
    process.stdin.flush()
    assert process.wait(60) == 0


def lock_file(toy, run):
    return toy.project.locks / "01_train" / f"{run}.lock"


def record(seed=0):
    return Run("01_train", {**VALUES, "seed": seed})


@pytest.mark.parametrize("end", ["leave", "finish", "kill"])
def test_an_open_notebook_keeps_its_run_to_itself_until_it_ends(sweep, opened, end):
    process, name = opened()
    sweep.write(f"outputs/checkpoints/01_train/{name}/state.json", "{}")
    with pytest.raises(BusyError) as caught:
        record()
    (message,) = str(caught.value).splitlines()
    assert message.startswith(
        f"01_train/{name}: an open notebook (process {process.pid} on {socket.gethostname()}, since"
    )
    assert "shut down the other notebook's kernel, stop the batch with Ctrl-C" in message
    # The one that was refused has left no trace; another run is free.
    staging = [path.name for path in (sweep.project.runs / "01_train").iterdir()]
    assert [str(process.pid) in path for path in staging] == [True]
    assert (sweep.project.checkpoints / "01_train" / name / "state.json").exists()
    other = record(seed=1)
    assert lock_file(sweep, other.name).exists()
    if end == "kill":
        process.kill()
        process.wait()
    else:
        close(process, end)
        assert not lock_file(sweep, name).exists()
    again = record()
    assert json.loads(lock_file(sweep, name).read_text())["owner"][0] == os.getpid()
    again.finish()
    assert not lock_file(sweep, name).exists()


def test_a_batch_leaves_a_run_to_the_notebook_that_is_open(sweep, opened):
    process, name = opened()
    plan = make_plan(sweep.project, [("train", {**VALUES, "seed": seed}) for seed in SEEDS])
    (item,) = (item for item in plan if item.run == name)
    outcome = attempt(sweep.project, item)
    assert outcome.busy.startswith(f"an open notebook (process {process.pid} on")
    assert sweep.ledger("begin") == []
    batch = start("seeds.yaml", "-j", "1")
    wait_for(lambda: sweep.ledger("end") == [1])
    assert sweep.ledger("begin") == [1]
    close(process)
    output = finish(batch)
    assert f"01_train/{name}: an open notebook (process {process.pid}" in output
    assert "is at work on it; waiting for its end" in output
    check(sweep)


def test_a_notebook_is_refused_the_run_that_a_batch_is_at(sweep):
    batch = start("seeds.yaml", "-j", "2")
    wait_for(lambda: len(checkpoints(sweep)) == 2)
    with pytest.raises(
        BusyError, match=r"01_train/.*: process \d+ on .* \(since .* UTC\) is at work"
    ):
        record()
    finish(batch)
    check(sweep)


def test_the_cell_that_makes_the_record_can_be_run_again(sweep):
    first = record()
    path = lock_file(sweep, first.name)
    second = record()
    first.finish()
    assert path.exists()
    # As in a notebook, where the name is bound anew.
    second = record()
    assert path.exists()
    second = record(seed=1)
    assert not path.exists()
    assert lock_file(sweep, second.name).exists()
    second.finish()
    assert list(sweep.project.locks.rglob("*.lock")) == []


def test_a_library_that_is_loaded_again_does_not_lock_its_process_out(sweep, monkeypatch):
    first = record()
    monkeypatch.setattr("taugda.runs.hold._held", {})
    second = record()
    assert lock_file(sweep, second.name).exists()
    second.finish()
    assert first.name == second.name


def test_a_record_that_cannot_be_made_holds_nothing(sweep, monkeypatch):
    def fail(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr("taugda.runs.record.staging_folder", fail)
    with pytest.raises(OSError, match="no space left"):
        record()
    assert list(sweep.project.locks.rglob("*.lock")) == []


def test_a_lock_that_was_lost_is_taken_again_or_the_former_results_stay(sweep):
    run = record()
    path = lock_file(sweep, run.name)
    shutil.rmtree(sweep.project.locks)
    run.finish()
    assert sweep.run("01_train", run.name).is_dir()
    assert not path.exists()
    metrics = sweep.run("01_train", run.name) / "metrics.json"
    assert json.loads(metrics.read_text()) == {}
    run = record()
    run.measure("attempt", 2)
    path.unlink()
    other = Lock(sweep.project, "01_train", run.name)
    assert other.acquire() is None
    with pytest.raises(BusyError, match=f"process {os.getpid()} on .* is at work on this run"):
        run.finish()
    assert json.loads(metrics.read_text()) == {}
    # It is not finished: when the other one has ended, it can be.
    other.release()
    run.finish()
    assert json.loads(metrics.read_text()) == {"attempt": {"value": 2}}


def test_an_open_notebooks_lock_is_kept_fresh(sweep, monkeypatch):
    monkeypatch.setattr("taugda.runs.hold._EVERY", 0.01)
    run = record()
    path = lock_file(sweep, run.name)
    os.utime(path, (0, 0))
    wait_for(lambda: path.stat().st_mtime > 0)
    run.finish()


def test_a_forked_child_neither_holds_nor_gives_back(sweep):
    code = (
        "import os; from taugda.runs import Run; from taugda.runs.errors import BusyError\n"
        "values = dict(updates=12, wait=0.25, fail_at=0, seed=0)\n"
        "run = Run('01_train', values); child = os.fork()\n"
        "if child == 0:\n"
        "    try:\n        Run('01_train', values)\n"
        "    except BusyError:\n        del run; os._exit(7)\n"
        "    os._exit(0)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
        "assert run._hold._held.lock.owned()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert list(sweep.project.locks.rglob("*.lock")) == []


# Dask, with scheduler and workers as processes of their own


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.start()

    def start(self):
        import distributed

        path = self.folder / "scheduler.json"
        path.unlink(missing_ok=True)
        self.processes = [
            self._dask("scheduler", "--port", "0", "--scheduler-file", str(path)),
            *(self._dask("worker", "--scheduler-file", str(path), "--nworkers", "1",
                         "--nthreads", "1", "--memory-limit", "0", "--local-directory",
                         str(self.folder)) for _ in range(2)),
        ]  # fmt: skip
        # The scheduler may be writing it at this moment; its own workers read it so, too.
        self.address = distributed.utils.json_load_robust(path, timeout=60)["address"]

    def _dask(self, command, *arguments):
        full = [sys.executable, "-m", "dask", command, *arguments, "--host", "127.0.0.1",
                "--no-dashboard"]  # fmt: skip
        return subprocess.Popen(
            full, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    found = Cluster(tmp_path)
    yield found
    found.stop()


def test_dask_survives_the_loss_of_a_worker_and_of_the_client(sweep, cluster):
    assert cluster.address.startswith("tcp://127.0.0.1:")
    batch = start("seeds.yaml", "--scheduler", cluster.address)
    wait_for(lambda: checkpoints(sweep))
    # The process that executes the notebook, not its nanny.
    os.kill(owner(sweep, min(checkpoints(sweep))), signal.SIGKILL)
    wait_for(lambda: len(sweep.ledger("begin")) >= 3)
    batch.kill()
    batch.communicate()
    finish(start("seeds.yaml", "--scheduler", cluster.address))
    check(sweep, resumed=1)


def test_dask_survives_the_loss_of_the_scheduler(sweep, cluster):
    batch = start("seeds.yaml", "--scheduler", cluster.address)
    wait_for(lambda: len(checkpoints(sweep)) == 2)
    cluster.processes[0].kill()
    output = finish(batch, 1)
    assert f"the scheduler at {cluster.address} is gone; finished runs are kept" in output
    assert "Traceback" not in output
    # The workers end without one: after the run they are at, or after half a minute.
    for process in cluster.processes:
        process.wait(60)
    cluster.start()
    finish(start("seeds.yaml", "--scheduler", cluster.address))
    check(sweep)


def test_dask_of_its_own_is_ended_with_the_batch(sweep):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    for kill in (signal.SIGINT, signal.SIGKILL):
        begun = len(sweep.ledger("begin"))
        batch = start("seeds.yaml", "--scheduler", "local", "-j", "2")
        wait_for(lambda begun=begun: len(sweep.ledger("begin")) > begun and checkpoints(sweep))
        workers = [lock["owner"][0] for lock in map(read_json, sweep.project.locks.rglob("*.lock"))]
        os.killpg(batch.pid, kill)
        output, _ = batch.communicate(timeout=60)
        if kill == signal.SIGINT:
            assert batch.returncode == 130
            assert output.endswith("taugda: interrupted; finished runs are kept\n")
        wait_for(lambda workers=workers: not any(alive(pid) for pid in workers), 30)
    # Which engine goes on does not matter.
    finish(start("seeds.yaml", "-j", "2"))
    check(sweep, executed_once=False)


def test_a_scheduler_that_is_not_there_is_refused(sweep, capsys, monkeypatch):
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr("taugda.runs.cluster._CONNECT", 1)
    assert main(["run", "seeds.yaml", "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "no scheduler answers at 'tcp://127.0.0.1:9'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["run", "seeds.yaml", "--scheduler", "here"])
    assert "expected 'local' or an address such as" in capsys.readouterr().err
    assert sweep.ledger("begin") == []


def test_a_worker_with_threads_is_refused(sweep):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp", host="127.0.0.1",
        dashboard_address=None, memory_limit=0,
    ) as cluster:  # fmt: skip
        output = finish(start("seeds.yaml", "--scheduler", cluster.scheduler_address), 1)
    assert "must have one thread and no memory limit; start it with 'dask worker" in output
    assert sweep.ledger("begin") == []
