"""Claims and verdicts."""

import pytest
import yaml

from taugda.claims import Claim, ClaimError, parse_claims, verdict
from taugda.record.claims import counts, read_claims

ENTRY = """- id: {id}
  statement: The threshold is $\\tau^* = 2$.
  where: Section 5.1
  paper: {paper}
  tolerance: 1.0e-9
  notebook: toy
  metric: tau
"""


def claim(paper, tolerance=0.0, relative=False):
    return Claim(
        id="a", statement="s", where="w", paper=paper, notebook="01_toy", metric="tau",
        tolerance=tolerance, relative=relative,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("paper", "tolerance", "measured", "uncertainty", "expected"),
    [
        (2, 1e-9, 2.0, None, "reproduced"),
        (2, 1e-9, 2.0, 1e-12, "reproduced"),
        (2, 1e-9, 2.1, 1e-12, "not reproduced"),
        (2, 0.1, 2.09, 0.02, "undecided"),
        (2, 0.1, 2.11, 0.02, "undecided"),
        (2, 0.1, 2.2, 0.05, "not reproduced"),
        (2, 0, 2.0, 1e-12, "undecided"),
        (2, 0, 2, None, "reproduced"),
        (2, 1, None, None, "undecided"),
        ("17/23", 0, "17/23", None, "reproduced"),
        ("17/23", 0, "34/46", None, "reproduced"),
        ("17/23", 1e-9, 17 / 23, None, "reproduced"),
        ("17/23", 0, "17/24", None, "not reproduced"),
        (True, 0, True, None, "reproduced"),
        (True, 0, False, None, "not reproduced"),
        (True, 0, 1, None, "not reproduced"),
        (1, 0, True, None, "not reproduced"),
        ("DSE", 0, "DSE", None, "reproduced"),
        ("DSE", 0, "DNE", None, "not reproduced"),
        (2, 1, "two", None, "not reproduced"),
        (float("inf"), 0, "inf", None, "reproduced"),
        ("inf", 0, "inf", None, "reproduced"),
        (float("inf"), 1, 5.0, None, "not reproduced"),
        (2, 1, "inf", None, "not reproduced"),
        (2, 1, "nan", None, "not reproduced"),
        ([1, "1/2"], 1e-9, [1.0, 0.5], None, "reproduced"),
        ([1, 2], 1e-9, [1.0, 2.5], None, "not reproduced"),
        ([1, 2], 0.1, [1.0, 2.1], 0.05, "undecided"),
        ([1, 2], 0.1, [1.0, 2.1], [0.01, 0.05], "undecided"),
        ([1, 2], 0.1, [1.2, 2.1], [0.01, 0.05], "not reproduced"),
        ([1, 2], 0.1, [1.0, None], None, "undecided"),
        ([1, 2], 0.1, [1.0], None, "not reproduced"),
        ([1, 2], 0.1, 1.0, None, "not reproduced"),
        ([1, 2], 0.1, [1.0, 2.0], [0.01], "undecided"),
    ],
)
def test_verdicts(paper, tolerance, measured, uncertainty, expected):
    entry = {"value": measured}
    if uncertainty is not None:
        entry["uncertainty"] = uncertainty
    assert verdict(claim(paper, tolerance), {"tau": entry}).verdict == expected


def test_relative_tolerance():
    metrics = {"tau": {"value": 102.0}}
    assert verdict(claim(100, 0.05), metrics).verdict == "not reproduced"
    assert verdict(claim(100, 0.05, relative=True), metrics).verdict == "reproduced"
    assert (
        verdict(claim(-100, 0.05, relative=True), {"tau": {"value": -98}}).verdict == "reproduced"
    )


def test_without_a_run_and_without_the_metric():
    found = verdict(claim(2), None)
    assert (found.verdict, found.note) == ("not run", "run it with: python -m taugda run toy")
    found = verdict(claim(2), {"other": {"value": 2}}, "default")
    assert (found.verdict, found.note) == ("not reproduced", "metric tau not recorded")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "expected a list"),
        ("- 3", "entry 1 must be a mapping"),
        (ENTRY.format(id="t", paper=2) + "  colour: red\n", "'t' has unknown key 'colour'"),
        (ENTRY.format(id="t", paper=2) * 2, "'t' appears twice"),
        (ENTRY.format(id="t", paper=2).replace("toy", "tyo"), "'t': unknown notebook 'tyo'"),
        (ENTRY.format(id="t", paper="{a: 1}"), "'t': 'paper' must be"),
        (ENTRY.format(id="t", paper="[]"), "'t': 'paper' must be"),
        (ENTRY.format(id="t", paper=2).replace("1.0e-9", "-1"), "'t': 'tolerance' must be"),
        (ENTRY.format(id="t", paper=2).replace("1.0e-9", ".nan"), "'t': 'tolerance' must be"),
        (ENTRY.format(id="t", paper=2) + "  relative: 1\n", "'t': 'relative' must be"),
        (ENTRY.format(id="t", paper=2) + "  sweep: none.yaml\n", "'t': 'sweep' must name a file"),
        (ENTRY.format(id="t", paper=2) + "  sweep: 3\n", "'t': 'sweep' must be the name"),
        (ENTRY.format(id="t", paper=2) + "  group: ours\n", "'t': 'group' must be 'paper' or"),
        (ENTRY.format(id="t", paper=2).replace("metric", "metrik"), "'t' has unknown key 'metrik'"),
        ("- {id: t, statement: s}", "'t' lacks 'where'"),
        ("- {statement: s}", "'number 1' lacks 'id'"),
        ("- {id: 3, statement: s}", "'id' must be a text"),
        ("- [", "not valid YAML"),
    ],
)
def test_bad_claims_are_named(toy, text, message):
    toy.notebook("01_toy", "run.finish()")
    toy.write("claims.yaml", text)
    with pytest.raises(ClaimError, match=rf"^(.*/)?claims\.yaml: .*{message}"):
        read_claims(toy.project)


def test_claims_are_read_as_they_are_meant(toy):
    toy.notebook("01_toy", "run.finish()")
    text = ENTRY.format(id="t", paper="17/23").replace("1.0e-9", "1e-9")  # a text, to YAML
    toy.write("claims.yaml", text + text.replace("id: t", "id: own") + "  group: project\n")
    first, own = read_claims(toy.project)
    assert (first.tolerance, first.paper, first.notebook) == (1e-9, "17/23", "01_toy")
    assert (first.group, own.group) == ("paper", "project")
    (pure,) = parse_claims(yaml.safe_load(text), "claims.yaml")
    assert pure.notebook == "toy"
    toy.write("claims.yaml", "")
    assert read_claims(toy.project) == []


def test_only_the_defaults_and_the_papers_parameters_count(toy):
    toy.notebook("01_toy", "run.finish()")
    toy.write("parameters/01_toy/small.yaml", "n: 9\n")
    assert counts(toy.project, "01_toy", {"n": 3})
    assert not counts(toy.project, "01_toy", {"n": 9})
    toy.write("parameters/01_toy/paper-long.yaml", "n: 9\n")
    assert counts(toy.project, "01_toy", {"n": 9})
    assert not counts(toy.project, "01_toy", {"n": 10})
