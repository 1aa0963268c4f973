"""What is wrong with a parameter file is one line that begins with its name."""

import pytest

from cmbkit.params import ParameterError, read_parameters

GOOD = "profile: x\ncohort: {phantom_scans: {DOU: 1}}\n"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "expected keys and values, found nothing"),
        ("- a\n- b\n", "expected keys and values, found list"),
        ("profile: [\n", "expected YAML, found: line 2, column 1: expected the node content"),
        (b"\xff\xfe", "expected text in UTF-8, found other bytes"),
        ("a: \x00", "expected YAML, found: unacceptable character #x0000"),
        (GOOD + "seed: 1\nseed: 2\n", "expected YAML, found: line 4, column 1: key 'seed' for"),
        (
            "profile: x\ncohort: {bids: {MINE: a, MINE: b}}\n",
            "expected YAML, found: line 2, column 26: key 'MINE' for the second",
        ),
        ("seed: 2024-99-99\n", "expected YAML, found: month must be in 1..12"),
        ("seed: !!int ''\n", "expected YAML, found: string index out of range"),
        ("[" * 3000, "expected YAML, found: maximum recursion depth"),
        ("? [a]\n: b\n", "expected YAML, found: line 1, column 3: keys and values for a key"),
        (GOOD + "inference:\n", "inference: expected keys and values; found None"),
        (GOOD + "seed: 4294967296\n", "seed: Input should be less than 4294967296"),
        (
            GOOD + "evaluation: {max_distance_mm: .inf}\n",
            "evaluation.max_distance_mm: Input",
        ),
        (GOOD + "evaluation: {scan_thresholds: [0]}\n", "evaluation.scan_thresholds.0: Input"),
        (GOOD + "figures_dir: ''\n", "figures_dir: String should have at least 1 character"),
        (GOOD.replace("1", "-3"), "cohort.phantom_scans.DOU: Input should be greater than or"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, content, told):
    file = tmp_path / "x.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ParameterError) as raised:
        read_parameters(file)
    line = str(raised.value)
    assert line.startswith(f"{file}: {told}") and "\n" not in line
