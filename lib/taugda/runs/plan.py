"""What a batch will do: every run checked and compared with what is there, before any starts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from taugda.runs.parameters import canonical, resolve
from taugda.runs.project import Project
from taugda.runs.state import FORCED, KEPT, STALE, UP_TO_DATE, Item, compare, data_paths, reads


def make_plan(
    project: Project,
    wanted: Iterable[tuple[str, Mapping[str, Any]]],
    refresh: bool = False,
    force: bool = False,
) -> list[Item]:
    """Check runs, by notebook and overrides, and find out which of them have to be executed.

    `refresh` executes stale training runs, too, which are otherwise kept, `force` all.
    """
    unique = {}
    for name, overrides in wanted:
        stem = project.find_notebook(name)
        item = Item(project, stem, resolve(project, stem, overrides))
        unique[item.label] = item
    items = list(map(compare, unique.values()))
    if force:
        items = [replace(item, state=FORCED, reason="") for item in items]
    if refresh:
        items = [replace(i, state=STALE) if i.state == KEPT else i for i in items]
    # What collects runs that this very batch will make is stale in advance.
    at_work = {item.stem for item in items if item.due}
    sources = {item.stem: at_work & reads(project, item.stem) for item in items}
    for place, item in enumerate(items):
        if sources[item.stem] and item.state == UP_TO_DATE:
            reason = f"runs of {', '.join(sorted(sources[item.stem]))} are to come"
            items[place] = replace(item, state=STALE, reason=reason)
    for item in items:
        if item.due:
            data_paths(item, check=True)
    return items


def together(items: Iterable[Item]) -> list[list[Item]]:
    """Group the runs that share a kernel, in order."""
    groups: dict[str, list[list[Item]]] = {}
    for item in items:
        rule = item.marks.together
        differ, at_most = (rule.differ, item.parameters[rule.at_most]) if rule else ([], 1)
        shared = {k: v for k, v in item.parameters.items() if k not in differ}
        found = groups.setdefault(f"{item.stem} {canonical(shared)}", [[]])
        if len(found[-1]) == max(1, at_most):
            found.append([])
        found[-1].append(item)
    return [group for found in groups.values() for group in found]
