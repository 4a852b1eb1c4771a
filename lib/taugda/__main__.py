"""The command line: ``python -m taugda run``, ``report``, ``publish``, ``claims``..."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

from taugda.record.claims import read_claims
from taugda.record.tables import plain_table
from taugda.runs.batch import execute_all
from taugda.runs.files import check_writable
from taugda.runs.machine import cores
from taugda.runs.parameters import parse_assignment, read_file, read_parameters
from taugda.runs.plan import make_plan
from taugda.runs.project import ParameterError, Project
from taugda.runs.state import Item
from taugda.runs.sweeps import read_sweep


def _is_sweep(*names: str) -> bool:
    """Tell whether one sweep file, and nothing else, is named; JSON is YAML, too."""
    return len(names) == 1 and names[0].lower().endswith((".yaml", ".yml", ".json"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: 0 is success, 1 a run or report that failed, 2 a wrong request."""
    for stream in (sys.stdout, sys.stderr):  # a terminal may not have every letter
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace", line_buffering=True)
    options = _parser().parse_args(arguments)
    try:
        status = options.command(Project.find(), options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        print("taugda: interrupted; finished runs are kept", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Nobody reads on; Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, RuntimeError) as error:
        # What the library raises says all in its message; anything else is a fault of ours.
        if not type(error).__module__.startswith("taugda."):
            raise
        print(f"taugda: {error}", file=sys.stderr)
        return getattr(error, "status", 2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m taugda", description="Run the notebooks and make the report."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, function: Any, text: str) -> Any:
        made = commands.add_parser(name, help=text, description=function.__doc__ or text)
        made.set_defaults(command=function)
        return made.add_argument

    # fmt: off
    add = command("run", _run, "run notebooks that are not up to date")
    add("names", nargs="*", metavar="NAME", help="notebook, with or without number, or sweep file")
    add("-p", dest="assignments", action="append", default=[], metavar="KEY=VALUE",
        help="set a parameter (value in YAML); needs exactly one notebook")
    add("-f", dest="files", action="append", default=[], metavar="FILE",
        help="read parameters from a YAML file; -p comes after it")
    add("-j", dest="jobs", type=partial(_natural, least=1), default=cores(), metavar="N",
        help="runs at the same time (default: the number of cores, %(default)s)")
    add("--scheduler", metavar="local|ADDRESS",
        help="run on the workers of a Dask scheduler; 'local' starts -j workers here")
    add("--only", metavar="PATTERN",
        help="leave out runs whose name does not match, such as '*tau=4*'")
    add("--index", type=_natural, metavar="I",
        help="execute run I of one sweep file, from 0, and make no report (for job arrays)")
    add("--retries", type=_natural, default=0, metavar="N",
        help="try a run that fails N more times, from its checkpoint (default: %(default)s)")
    add("--time-limit", type=_duration, metavar="TIME",
        help="end a run that takes longer, such as 90s, 30m, 12h, 2d")
    add("--refresh", action="store_true", help="also rerun stale training runs")
    add("--force", action="store_true", help="rerun what is up to date, too")
    add("--dry-run", action="store_true", help="say what would run, and stop")
    add("--no-report", action="store_true", help="leave the HTML pages as they are")

    add = command("report", _report, "make the HTML pages from the runs, or export them")
    add("names", nargs="*", metavar="RUN",
        help="run to export: NOTEBOOK, NOTEBOOK/RUN, a pattern or a folder (default: all)")
    for form, says in (
        ("single-file", "one page that needs no other file, to be mailed"),
        ("pdf", "the same, printed by the system's Chromium"),
        ("zip", "the whole site, with the files that it leads to"),
    ):
        add(f"--{form}", dest="forms", action="append_const", const=form, help=says)
    add("-o", dest="target", type=Path, metavar="FILE", help="file to write")

    add = command("publish", _publish,
                  "copy finished runs to outputs/published/, which the repository keeps")
    add("collection", nargs="?", default="default", metavar="COLLECTION",
        help="default (every run that `run` makes), or another one of training runs")
    add("names", nargs="*", metavar="SWEEP",
        help="sweep files whose finished runs are added; or a folder that benchmarks/gpu.py made")

    command("claims", _claims, "print the paper's claims and what the runs say")

    add = command("parameters", _parameters, "list the parameters of a notebook")
    add("name", metavar="NAME", help="notebook, with or without number")
    # fmt: on
    return parser


def _natural(text: str, least: int = 0) -> int:
    if not (text.isascii() and text.isdigit() and int(text) >= least):
        raise argparse.ArgumentTypeError(f"expected an integer >= {least}, found {text!r}")
    return int(text)


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:[.]\d+)?)\s*([smhd]?)", text, re.ASCII)
    units = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
    seconds = float(match[1]) * units[match[2]] if match else 0.0
    if seconds <= 0:
        raise argparse.ArgumentTypeError(
            f"expected a time such as 90s, 30m, 12h or 2d, found {text!r}"
        )
    return seconds


def _run(project: Project, options: argparse.Namespace) -> int:
    """Run notebooks and sweeps, by default every notebook and the default sweep.

    What is up to date is left alone.
    """
    plan = make_plan(project, _wanted(project, options), options.refresh, options.force)
    plan = _choose(plan, options)
    # A mistake in the claims would otherwise show only after all the work.
    read_claims(project)
    for number, item in enumerate(plan):
        numbered = f"{number:4}  " if _is_sweep(*options.names) and not options.only else ""
        print(f"{numbered}{item.label}: {_words(item)}")
    due, runs = sum(item.due for item in plan), "run" if len(plan) == 1 else "runs"
    print(f"{due} of {len(plan)} {runs} to execute, {options.jobs} at a time")
    if options.dry_run:
        return 0
    check_writable(project)
    outcomes = execute_all(
        plan, options.jobs, options.retries, options.time_limit, options.scheduler
    )
    failed = [(item, outcome) for item, outcome in outcomes if outcome.error]
    for item, outcome in failed:
        print(f"\nFailed: {item.label}: {outcome.error}")
        if outcome.log:
            print(f"  log: {project.display(outcome.log)}")
    if not options.no_report and options.index is None:
        _report(project, argparse.Namespace(names=[], forms=[], target=None))
    return 1 if failed else 0


def _words(item: Item) -> str:
    """Say what is there of a run, whether it is executed, and how long it took last time."""
    words = [f"{item.state} ({item.reason})" if item.reason else item.state]
    words += ["--refresh runs it again"] * (item.state == "kept") + ["would run"] * item.due
    if item.due and item.duration:
        words.append(f"took {item.duration:.0f} s last time")
    return ", ".join(words)


def _wanted(project: Project, options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Notebook and overrides of each run that is asked for."""
    names, overrides = options.names, dict[str, Any]()
    for file in options.files:
        overrides |= read_file(Path(file).expanduser())
    overrides |= dict(map(parse_assignment, options.assignments))
    if (options.files or options.assignments) and (len(names) != 1 or _is_sweep(*names)):
        raise ParameterError("-p and -f need exactly one notebook")
    if not names:
        default = project.sweeps / "default.yaml"
        names = [*project.stems(), *([str(default)] if default.exists() else [])]
        for line in project.strangers():
            print(f"taugda: {line}", file=sys.stderr)
    wanted: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        if _is_sweep(name):
            file, named = Path(name).expanduser(), project.sweeps / name
            wanted += read_sweep(project, file if file.exists() or not named.exists() else named)
        else:
            wanted.append((name, overrides))
    return wanted


def _choose(plan: list[Item], options: argparse.Namespace) -> list[Item]:
    """Keep the runs that --index or --only name."""
    index, only = options.index, options.only
    if index is not None:
        if only or not _is_sweep(*options.names) or index >= len(plan):
            raise ParameterError(
                "--index needs exactly one sweep file, no --only, and the number of a run: "
                f"from 0 to {len(plan) - 1}, found {index}"
            )
        return [plan[index]]
    if only is None:
        return plan
    chosen = [x for x in plan if fnmatchcase(x.run, only) or fnmatchcase(x.label, only)]
    if not chosen:
        known = ", ".join(item.label for item in plan[:3])
        raise ParameterError(
            f"--only: no run matches {only!r}; use a pattern such as '*tau=4*' (runs: {known}...)"
        )
    return chosen


def _report(project: Project, options: argparse.Namespace) -> int:
    """Make the HTML pages in outputs/, or export pages to a file that works anywhere."""
    from taugda.report import build

    if not options.forms:
        if options.names or options.target:
            raise ParameterError("RUN and -o need --single-file, --pdf or --zip")
        check_writable(project)
        print(f"Open {project.display(build(project))}")
        return 0
    from taugda.report.export import export

    form, *others = options.forms
    if others or not options.target:
        raise ParameterError(f"--{form} needs -o FILE, and no other form beside it")
    export(project, form, options.names, options.target)
    print(f"Wrote {options.target} ({options.target.stat().st_size / 1e6:.1f} MB)")
    return 0


def _publish(project: Project, options: argparse.Namespace) -> int:
    """Copy finished runs into a published collection; without arguments, remake `default`."""
    from taugda.report.publish import DEFAULT, publish, size

    if (options.collection == DEFAULT) != (not options.names):
        raise ParameterError(
            "publish takes no argument (to remake default), or a collection and its sweep files"
        )
    options.files = options.assignments = []
    check_writable(project, project.published)
    if [Path(name).is_dir() for name in options.names] == [True]:
        from taugda.report.measured import publish_measured

        folder = publish_measured(project, Path(options.names[0]), options.collection)
        print(f"What was measured is in {project.display(folder)}")
        return 0
    plan = make_plan(project, _wanted(project, options))
    added = publish(project, plan, options.collection)
    for item in plan:
        if item not in added:
            print(f"{item.label}: {item.state}, left out")
    weight = size(project.published) / 1e6
    folder = project.display(project.published / options.collection)
    print(f"{len(added)} runs in {folder}; in all {weight:.1f} MB")
    return 0


def _claims(project: Project, options: argparse.Namespace) -> int:
    from taugda.report.claims import claims_text

    print(claims_text(project))
    return 0


def _parameters(project: Project, options: argparse.Namespace) -> int:
    stem = project.find_notebook(options.name)
    declared = read_parameters(project.notebook(stem))
    rows = [[name, p.title, repr(p.default), p.description] for name, p in declared.items()]
    print(plain_table(["parameter", "type", "default", "meaning"], rows, f"Parameters of {stem}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
