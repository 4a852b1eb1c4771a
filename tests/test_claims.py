"""Claims and verdicts."""

import pytest
import yaml

from taugda.claims import Claim, ClaimError, parse_claims, verdict
from taugda.record.claims import read_claims

ENTRY = (
    "- {id: t, statement: The threshold is 2., where: Section 5.1, paper: 2, tolerance: 1.0e-9,"
    " notebook: toy, metric: tau}\n"
)
CLAIM = parse_claims(yaml.safe_load(ENTRY), "claims.yaml")[0]
INF = float("inf")


def judge(paper, tolerance, measured, uncertainty=None, relative=False):
    values = {"paper": paper, "tolerance": tolerance, "relative": relative}
    entry = {"value": measured, "uncertainty": uncertainty}
    return verdict(Claim(**CLAIM.model_dump() | values), {"tau": entry}).verdict


@pytest.mark.parametrize(
    ("expected", "cases"),
    [
        ("reproduced", [
            (2, 1e-9, 2.0), (2, 1e-9, 2.0, 1e-12), (2, 0, 2), ("17/23", 0, "17/23"),
            ("17/23", 0, "34/46"), ("17/23", 1e-9, 17 / 23), (True, 0, True), ("DSE", 0, "DSE"),
            (INF, 0, "inf"), ("inf", 0, "inf"), ([1, "1/2"], 1e-9, [1.0, 0.5]),
            (100, 0.05, 102.0, None, True), (-100, 0.05, -98, None, True),
        ]),
        ("not reproduced", [
            (2, 1e-9, 2.1, 1e-12), (2, 0.1, 2.2, 0.05), ("17/23", 0, "17/24"), (True, 0, False),
            (True, 0, 1), (1, 0, True), ("DSE", 0, "DNE"), (2, 1, "two"), (INF, 1, 5.0),
            (2, 1, "inf"), (2, 1, "nan"), ([1, 2], 1e-9, [1.0, 2.5]), ([1, 2], 0.1, [1.0]),
            ([1, 2], 0.1, [1.2, 2.1], [0.01, 0.05]), ([1, 2], 0.1, 1.0), (100, 0.05, 102.0),
        ]),
        ("undecided", [
            (2, 0.1, 2.09, 0.02), (2, 0.1, 2.11, 0.02), (2, 0, 2.0, 1e-12), (2, 1, None),
            ([1, 2], 0.1, [1.0, 2.1], 0.05), ([1, 2], 0.1, [1.0, 2.1], [0.01, 0.05]), (2, 1, 2, -1),
            ([1, 2], 0.1, [1.0, None]), ([1, 2], 0.1, [1.0, 2.0], [0.01]), ([1, 2], 0.1, None),
        ]),
        ("not run", [(2, 1, "not run"), ([1, 2], 0.1, "not run")]),
    ],
)  # fmt: skip
def test_verdicts(expected, cases):
    for case in cases:
        assert judge(*case) == expected, case


def test_without_a_run_and_without_the_metric():
    found = verdict(CLAIM, None)
    assert (found.verdict, found.note) == ("not run", "run it with: python -m taugda run toy")
    found = verdict(CLAIM, {"other": {"value": 2}}, "by hand")
    assert (found.verdict, found.note) == ("not reproduced", "metric tau not recorded; by hand")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "expected a list"),
        ("- 3", "entry 1 must be a mapping"),
        ("- [", "not valid YAML"),
        (ENTRY * 2, "'t' appears twice"),
        ("- {id: t, statement: s}", "'t' lacks 'where'"),
        ("- {statement: s}", "'number 1' lacks 'id'"),
        ("- {id: 3, statement: s}", "'id' must be a text"),
        (ENTRY.replace("metric", "metrik"), "'t' has unknown key 'metrik'"),
        (ENTRY.replace("toy", "tyo"), "'t': unknown notebook 'tyo'"),
        (ENTRY.replace("paper: 2", "paper: {a: 1}"), "'t': 'paper' must be"),
        (ENTRY.replace("paper: 2", "paper: []"), "'t': 'paper' must be"),
        (ENTRY.replace("1.0e-9", "-1"), "'t': 'tolerance' must be"),
        (ENTRY.replace("1.0e-9", ".nan"), "'t': 'tolerance' must be"),
        (ENTRY.replace("}", ", relative: 1}"), "'t': 'relative' must be"),
        (ENTRY.replace("}", ", sweep: none.yaml}"), "'t': 'sweep' must name a file"),
        (ENTRY.replace("}", ", sweep: 3}"), "'t': 'sweep' must be the name"),
        (ENTRY.replace("}", ", group: ours}"), "'t': 'group' must be 'paper' or 'project'"),
    ],
)
def test_bad_claims_are_named(one, text, message):
    one.write("claims.yaml", text)
    with pytest.raises(ClaimError, match=rf"^(.*/)?claims\.yaml: .*{message}"):
        read_claims(one.project)


def test_claims_are_read_as_they_are_meant(one):
    text = ENTRY.replace("1.0e-9", "1e-9").replace("paper: 2", "paper: 17/23")  # texts, to YAML
    one.write("claims.yaml", text + text.replace("id: t", "id: own, group: project"))
    first, own = read_claims(one.project)
    assert (first.tolerance, first.paper, first.notebook) == (1e-9, "17/23", "01_toy")
    assert (first.group, own.group) == ("paper", "project")
    one.write("claims.yaml", "")
    assert read_claims(one.project) == []
