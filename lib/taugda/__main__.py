"""The command line: ``python -m taugda run``, ``report``, ``publish``, ``claims``..."""

import argparse
import re
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taugda.runs.errors import EngineError, ParameterError, ProjectError
from taugda.runs.parameters import parse_assignment, read_file, read_parameters
from taugda.runs.project import Project
from taugda.runs.provenance import cores

if TYPE_CHECKING:
    from taugda.runs.plan import Item


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Command-line arguments; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 on success, 1 if a run or the report failed, 2 if the request was wrong,
        130 if it was interrupted.
    """
    options = _parser().parse_args(arguments)
    try:
        return options.command(Project.find(), options)
    except KeyboardInterrupt:
        print("taugda: interrupted; finished runs are kept", file=sys.stderr)
        return 130
    except EngineError as error:
        print(f"taugda: {error}", file=sys.stderr)
        return 1
    except ValueError as error:
        from taugda.claims import ClaimError
        from taugda.report import ReportError

        if not isinstance(error, (ParameterError, ProjectError, ClaimError, ReportError)):
            raise
        print(f"taugda: {error}", file=sys.stderr)
        return 1 if isinstance(error, ReportError) else 2


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
        "-f", dest="files", action="append", default=[], type=Path, metavar="FILE",
        help="read parameters from a YAML file; -p comes after it",
    )  # fmt: skip
    run.add_argument(
        "-j", dest="jobs", type=_positive, default=cores(), metavar="N",
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

    status = commands.add_parser("status", help="say how the batches stand, at work or ended")
    status.set_defaults(command=_status)

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


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected a positive integer, found {text!r}")
    return number


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"expected an integer >= 0, found {text!r}")
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
    from taugda.claims import read_claims
    from taugda.runs.batch import execute_all, summary
    from taugda.runs.estimate import preview
    from taugda.runs.plan import check_writable, make_plan
    from taugda.runs.status import batch_name

    plan = make_plan(project, _wanted(project, options), options.refresh, options.force)
    plan = _choose(plan, options)
    # A mistake in the claims would otherwise show only after all the work.
    read_claims(project)
    one_sweep = len(options.names) == 1 and _is_sweep(options.names[0])
    print(preview(project, plan, options.jobs, numbered=one_sweep and not options.only))
    if options.dry_run:
        return 0
    check_writable(project)
    name = batch_name(options.names)
    if options.index is not None:
        name += f".{options.index}"
    engine = None
    if options.scheduler:
        from taugda.runs.cluster import Cluster

        engine = Cluster(project, options.scheduler, options.jobs, options.limit)
    outcomes = execute_all(
        project, plan, options.jobs, name=name, retries=options.retries, limit=options.limit,
        engine=engine,
    )  # fmt: skip
    print(f"\n{summary(project, plan, outcomes)}\n")
    status = 1 if any(outcome.error for outcome in outcomes) else 0
    if not options.no_report and options.index is None:
        status = max(status, _build(project))
    return status


def _is_sweep(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _choose(plan: "list[Item]", options: argparse.Namespace) -> "list[Item]":
    """Keep the runs that --index or --only name."""
    if options.index is not None:
        if options.only or len(options.names) != 1 or not _is_sweep(options.names[0]):
            raise ParameterError("--index needs exactly one sweep file, and no --only")
        if options.index >= len(plan):
            raise ParameterError(
                f"--index must be from 0 to {len(plan) - 1} for {options.names[0]}, "
                f"found {options.index}"
            )
        return [plan[options.index]]
    if options.only is None:
        return plan
    chosen = [
        item
        for item in plan
        if fnmatchcase(item.run, options.only) or fnmatchcase(item.label, options.only)
    ]
    if not chosen:
        known = ", ".join(item.label for item in plan[:3])
        raise ParameterError(
            f"--only: no run matches {options.only!r}; use a pattern such as '*tau=4*' "
            f"(runs: {known}{', ...' if len(plan) > 3 else ''})"
        )
    return chosen


def _wanted(project: Project, options: argparse.Namespace) -> list[tuple[str, dict[str, Any]]]:
    from taugda.runs.sweep import read_sweep

    overrides: dict[str, Any] = {}
    for file in options.files:
        overrides.update(read_file(file))
    overrides.update(map(parse_assignment, options.assignments))
    names = options.names
    if not names:
        default = project.sweeps / "default.yaml"
        names = [*project.stems(), *([str(default)] if default.exists() else [])]
    sweeps = [name for name in names if _is_sweep(name)]
    if (options.files or options.assignments) and (len(options.names) != 1 or sweeps):
        raise ParameterError("-p and -f need exactly one notebook")
    wanted: list[tuple[str, dict[str, Any]]] = []
    for name in names:
        if name in sweeps:
            path = Path(name)
            named = project.sweeps / name
            wanted.extend(
                read_sweep(project, named if named.exists() and not path.exists() else path)
            )
        else:
            wanted.append((name, overrides))
    return wanted


def _status(project: Project, options: argparse.Namespace) -> int:
    from taugda.runs.format import show_seconds
    from taugda.runs.status import read_status
    from taugda.runs.tables import plain_table

    rows = []
    for batch in read_status(project):
        counts = ", ".join(f"{count} {name}" for name, count in batch["counts"].items() if count)
        left = batch["seconds_left"] if batch["state"] == "running" else None
        rows.append([batch["name"], batch["state"], counts, show_seconds(left) if left else ""])
    print(plain_table(["batch", "state", "runs", "time left"], rows))
    return 0


def _build(project: Project, single_file: bool = False) -> int:
    from taugda.report import ReportError, build

    try:
        index = build(project, single_file=single_file)
    except ReportError as error:
        print(f"taugda: {error}", file=sys.stderr)
        return 1
    print(f"Open {project.display(index)}")
    return 0


def _report(project: Project, options: argparse.Namespace) -> int:
    from taugda.runs.plan import check_writable

    check_writable(project)
    return _build(project, options.single_file)


def _publish(project: Project, options: argparse.Namespace) -> int:
    """Copy finished runs into a published collection; without arguments, remake `default`."""
    from taugda.report.publish import DEFAULT, publish, size
    from taugda.runs.plan import check_writable, make_plan

    if (options.collection == DEFAULT) != (not options.names):
        raise ParameterError(
            "publish takes no argument (to remake default), or a collection and its sweep files"
        )
    options.files = options.assignments = []
    check_writable(project)
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
    from taugda.runs.tables import plain_table

    stem = project.find_notebook(options.name)
    declared = read_parameters(project.notebook(stem))
    rows = [[p.name, p.annotation, repr(p.default), p.help] for p in declared.values()]
    print(plain_table(["parameter", "type", "default", "meaning"], rows, f"Parameters of {stem}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
