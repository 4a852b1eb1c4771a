"""The command line: ``python -m taugda run``, ``report``, ``publish``, ``claims``..."""

import argparse
import os
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taugda.runs.machine import cores
from taugda.runs.project import ParameterError, Project

if TYPE_CHECKING:
    from taugda.runs.execute import Outcome
    from taugda.runs.plan import Item


def _is_sweep(name: str) -> bool:
    return name.lower().endswith((".yaml", ".yml", ".json"))  # JSON is YAML, too


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

    run = commands.add_parser(
        "run", help="run notebooks that are not up to date", description=_run.__doc__
    )
    run.set_defaults(command=_run)
    run.add_argument(
        "names", nargs="*", metavar="NAME", help="notebook, with or without number, or sweep file"
    )
    run.add_argument(
        "-p", dest="assignments", action="append", default=[], metavar="KEY=VALUE",
        help="set a parameter (value in YAML); needs exactly one notebook",
    )  # fmt: skip
    run.add_argument(
        "-f", dest="files", action="append", default=[], type=lambda name: Path(name).expanduser(),
        metavar="FILE",
        help="read parameters from a YAML file; -p comes after it",
    )  # fmt: skip
    run.add_argument(
        "-j", dest="jobs", type=partial(_natural, least=1), default=cores(), metavar="N",
        help="runs at the same time (default: the number of cores, %(default)s)",
    )  # fmt: skip
    run.add_argument(
        "--scheduler", metavar="local|ADDRESS", type=_scheduler,
        help="run on the workers of a Dask scheduler; 'local' starts -j workers here",
    )  # fmt: skip
    run.add_argument(
        "--only", metavar="PATTERN",
        help="leave out runs whose name does not match, such as '*tau=4*'",
    )  # fmt: skip
    run.add_argument(
        "--index", type=_natural, metavar="I",
        help="execute run I of one sweep file, from 0, and make no report (for job arrays)",
    )  # fmt: skip
    run.add_argument(
        "--retries", type=_natural, default=0, metavar="N",
        help="try a run that fails N more times, from its checkpoint (default: %(default)s)",
    )  # fmt: skip
    run.add_argument(
        "--time-limit", dest="limit", type=_duration, metavar="TIME",
        help="end a run that takes longer, such as 90s, 30m, 12h, 2d",
    )  # fmt: skip
    run.add_argument("--refresh", action="store_true", help="also rerun stale training runs")
    run.add_argument("--force", action="store_true", help="rerun what is up to date, too")
    run.add_argument("--dry-run", action="store_true", help="say what would run, and stop")
    run.add_argument("--no-report", action="store_true", help="leave the HTML pages as they are")

    report = commands.add_parser("report", help="make the HTML pages from the runs")
    report.set_defaults(command=_report)
    report.add_argument(
        "--single-file", action="store_true", help="pages that need no other file, to be mailed"
    )

    publish = commands.add_parser(
        "publish",
        help="copy finished runs to outputs/published/, which the repository keeps",
        description=_publish.__doc__,
    )
    publish.set_defaults(command=_publish)
    publish.add_argument(
        "collection", nargs="?", default="default", metavar="COLLECTION",
        help="default (every run that `run` makes), or another one of training runs",
    )  # fmt: skip
    publish.add_argument(
        "names", nargs="*", metavar="SWEEP", help="sweep files whose finished runs are added"
    )

    claims = commands.add_parser("claims", help="print the paper's claims and what the runs say")
    claims.set_defaults(command=_claims)

    parameters = commands.add_parser("parameters", help="list the parameters of a notebook")
    parameters.set_defaults(command=_parameters)
    parameters.add_argument("name", metavar="NAME", help="notebook, with or without number")
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


def _scheduler(text: str) -> str:
    if text != "local" and not re.fullmatch(r"([a-z]+://)?[^\s/:]+:\d+|[a-z]+://\S+", text):
        raise argparse.ArgumentTypeError(
            f"expected 'local' or an address such as tcp://127.0.0.1:8786, found {text!r}"
        )
    return text


def _run(project: Project, options: argparse.Namespace) -> int:
    """Run notebooks and sweeps, by default every notebook and the default sweep.

    What is up to date is left alone.
    """
    from taugda.record.claims import read_claims
    from taugda.runs.batch import execute_all
    from taugda.runs.plan import check_writable, make_plan

    plan = make_plan(project, _wanted(project, options), options.refresh, options.force)
    plan = _choose(plan, options)
    # A mistake in the claims would otherwise show only after all the work.
    read_claims(project)
    one_sweep = len(options.names) == 1 and _is_sweep(options.names[0])
    print(_preview(plan, options.jobs, numbered=one_sweep and not options.only))
    if options.dry_run:
        return 0
    check_writable(project)
    outcomes = execute_all(
        project, plan, options.jobs, retries=options.retries, limit=options.limit,
        scheduler=options.scheduler,
    )  # fmt: skip
    print(f"\n{_summary(project, plan, outcomes)}\n")
    status = 1 if any(outcome.error for outcome in outcomes) else 0
    if not options.no_report and options.index is None:
        options.single_file = False
        status = max(status, _report(project, options))
    return status


def _wanted(project: Project, options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    """Notebook and overrides of each run that is asked for."""
    from taugda.runs.parameters import parse_assignment, read_file
    from taugda.runs.sweeps import read_sweep

    names, overrides = options.names, dict[str, Any]()
    for file in options.files:
        overrides |= read_file(file)
    overrides |= dict(map(parse_assignment, options.assignments))
    if (options.files or options.assignments) and (len(names) != 1 or _is_sweep(names[0])):
        raise ParameterError("-p and -f need exactly one notebook")
    if not names:
        default = project.sweeps / "default.yaml"
        names = [*project.stems(), *([str(default)] if default.exists() else [])]
        for line in project.strangers():
            print(f"taugda: {line}", file=sys.stderr)
    wanted: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        if _is_sweep(name):
            named = project.sweeps / name
            file = Path(name).expanduser()
            wanted += read_sweep(project, file if file.exists() or not named.exists() else named)
        else:
            wanted.append((name, overrides))
    return wanted


def _choose(plan: "list[Item]", options: argparse.Namespace) -> "list[Item]":
    """Keep the runs that --index or --only name."""
    index, only = options.index, options.only
    if index is not None:
        if only or len(options.names) != 1 or not _is_sweep(options.names[0]):
            raise ParameterError("--index needs exactly one sweep file, and no --only")
        if index >= len(plan):
            last = len(plan) - 1
            raise ParameterError(
                f"--index must be from 0 to {last} for {options.names[0]}, found {index}"
            )
        return [plan[index]]
    if only is None:
        return plan
    chosen = [x for x in plan if fnmatchcase(x.run, only) or fnmatchcase(x.label, only)]
    if not chosen:
        known = ", ".join([item.label for item in plan[:3]] + ["..."] * (len(plan) > 3))
        raise ParameterError(
            f"--only: no run matches {only!r}; use a pattern such as '*tau=4*' (runs: {known})"
        )
    return chosen


def _preview(items: "list[Item]", jobs: int, numbered: bool) -> str:
    """Write what would run and why, and how long the same run took last time."""
    lines = []
    for number, item in enumerate(items):
        words = [f"{item.state} ({item.reason})" if item.reason else item.state]
        words += ["would run"] * item.due
        if item.due and item.duration:
            words.append(f"took {item.duration:.0f} s last time")
        label = f"{number:4}  {item.label}" if numbered else item.label
        lines.append(f"{label}: {', '.join(words)}")
    due = sum(item.due for item in items)
    runs = "run" if len(items) == 1 else "runs"
    return "\n".join([*lines, f"{due} of {len(items)} {runs} to execute, {jobs} at a time"])


def _summary(project: Project, items: "list[Item]", outcomes: "list[Outcome]") -> str:
    """Write what a batch did: a table, then the error and the log of each failed run."""
    from taugda.record.tables import plain_table

    ended = dict(zip((item.label for item in items if item.due), outcomes, strict=True))
    rows, notes = [], []
    for item in items:
        outcome, state, seconds = ended.get(item.label), item.state, ""
        if outcome:
            state, seconds = "failed" if outcome.error else "done", f"{outcome.seconds:.1f}"
            if outcome.error:
                notes.append(f"\nFailed: {item.label}: {outcome.error}")
                notes += [f"  log: {project.display(outcome.log)}"] if outcome.log else []
        elif item.state == "kept":
            hint = "Run it again with --refresh if you want to."
            notes.append(f"\nKept: {item.label}: {item.reason}. {hint}")
        rows.append([item.stem, item.run, state, seconds])
    return "\n".join([plain_table(["notebook", "run", "state", "seconds"], rows), *notes])


def _report(project: Project, options: argparse.Namespace) -> int:
    from taugda.report import build
    from taugda.runs.plan import check_writable

    check_writable(project)
    print(f"Open {project.display(build(project, single_file=options.single_file))}")
    return 0


def _publish(project: Project, options: argparse.Namespace) -> int:
    """Copy finished runs into a published collection; without arguments, remake `default`."""
    from taugda.report.publish import DEFAULT, publish, size
    from taugda.runs.plan import check_writable, make_plan

    if (options.collection == DEFAULT) != (not options.names):
        raise ParameterError(
            "publish takes no argument (to remake default), or a collection and its sweep files"
        )
    options.files = options.assignments = []
    check_writable(project, project.published)
    done = publish(project, make_plan(project, _wanted(project, options)), options.collection)
    for item in done.left_out:
        print(f"{item.label}: {item.state}, left out")
    weight = size(project.published) / 1e6
    print(f"{len(done.added)} runs in {project.display(done.folder)}; in all {weight:.1f} MB")
    return 0


def _claims(project: Project, options: argparse.Namespace) -> int:
    from taugda.report.claims import claims_text

    print(claims_text(project))
    return 0


def _parameters(project: Project, options: argparse.Namespace) -> int:
    from taugda.record.tables import plain_table
    from taugda.runs.parameters import read_parameters

    stem = project.find_notebook(options.name)
    declared = read_parameters(project.notebook(stem)).values()
    rows = [[p.name, p.annotation, repr(p.default), p.help] for p in declared]
    print(plain_table(["parameter", "type", "default", "meaning"], rows, f"Parameters of {stem}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
