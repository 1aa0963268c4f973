"""Tables as people save them."""

import pytest

from cmbkit.datasets.text_table import TableError, as_numbers, read_text_table

NAMES = ["x_mm", "y_mm"]


@pytest.mark.parametrize(
    "content",
    [
        b"name,x_mm,y_mm\n01,1.5,-2\n",
        b"name;x_mm;y_mm\r\n01;1,5;-2\r\n",
        b"name\tx_mm\ty_mm\n01\t1.5\t-2\n",
        b"\xef\xbb\xbfname, x_mm ,y_mm\n01, 1.5,-2\n\n",
        b"name,x_mm,y_mm\n01,1.5,-2\n,,\n,,\n",
        "name\tx_mm\ty_mm\n01\t1,5\t-2\n".encode("utf-16"),
        b"name;x_mm;y_mm;\n01;1,5;-2;\n;;;\n",
    ],
    ids=["comma", "semicolon", "tab", "mark", "excel", "utf16", "trailing"],
)
def test_one_table_in_many_guises(tmp_path, content):
    (tmp_path / "t.csv").write_bytes(content)
    table = read_text_table(tmp_path / "t.csv")
    assert table["name"].tolist() == ["01"]
    assert as_numbers(table, NAMES, "t.csv").to_numpy().tolist() == [[1.5, -2]]


def test_what_is_no_number_is_named_with_its_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("scan,x_mm\n01,1\n\n02,2 mm\n")
    with pytest.raises(TableError, match="expected a number in x_mm, found '2 mm' in line 4"):
        as_numbers(read_text_table(path), ["x_mm"], path)
    path.write_text('scan,x_mm\n01,"1,234"\n')  # a thousand, or less than two?
    with pytest.raises(TableError, match="found '1,234' in line 2"):
        as_numbers(read_text_table(path), ["x_mm"], path)
    with pytest.raises(TableError, match=r"t\.csv: expected columns scan, y_mm, found scan, x_mm"):
        as_numbers(read_text_table(path), ["scan", "y_mm"], path)
    path.write_text("")
    with pytest.raises(TableError, match=r"t\.csv: expected a table"):
        read_text_table(path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"a,b\n1,2,3\n", "expected 2 cells in a row, found more"),
        ("t.csv", b"a, a\n1,2\n", "expected each column once, found a again"),
        ("t.csv", b"\xff\xfe\n", "expected a table, found"),
        ("t.xlsx", b"PK\x03\x04 no workbook", "expected a table, found"),
    ],
)
def test_a_damaged_table_is_one_line_that_names_it(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TableError) as raised:
        read_text_table(path)
    assert str(raised.value).startswith(f"{path}: {said}") and "\n" not in str(raised.value)
