"""Columns of a features table under the titles that tables and figures give them."""

import pandas as pd

SHAPES = {
    "inv_elongation": "Inverse elongation",
    "inv_flatness": "Inverse flatness",
    "max_diameter_mm": "Max. diameter (mm)",
    "volume_mm3": "Volume (mm³)",
    "sphericity": "Sphericity",
}
"""Shape as Table 8.3 of the thesis tells it."""

TITLES = {
    **SHAPES,
    "n_voxels": "Voxels",
    "radius_mm": "Radius (mm)",
    "contrast": "Contrast",
    "edge_mm": "Depth in brain (mm)",
}

FROM_0_TO_1 = frozenset({"inv_elongation", "inv_flatness", "sphericity"})


def axis_label(column: str) -> str:
    """Title of a column with its unit or, where it has none, its range."""
    return f"{TITLES[column]} (0 to 1)" if column in FROM_0_TO_1 else TITLES[column]


def mean_sd(table: pd.DataFrame, by, columns) -> pd.DataFrame:
    """Mean, standard deviation and number of values of columns, by group; a NaN does not count.

    Returns
    -------
    DataFrame
        Index: groups. Of every column x: x (mean), x_sd (n - 1 in the denominator; NaN for a
        single value) and x_n.
    """
    groups = table.groupby(by)
    found = {}
    for name in columns:
        values = groups[name]
        found |= {name: values.mean(), f"{name}_sd": values.std(), f"{name}_n": values.count()}
    return pd.DataFrame(found)


def n_leaked(table: pd.DataFrame, by) -> pd.Series:
    """How many CMBs of each group have a size that is not theirs: their grown region leaked.

    ``table``: with leaked; where that is missing, or the column is, nothing leaked.
    """
    leaked = table.get("leaked", pd.Series(False, index=table.index)).eq(True)
    keys = [table[name] for name in ([by] if isinstance(by, str) else by)]
    return leaked.groupby(keys).sum().rename("n_leaked")


def mean_shapes(outlines: pd.DataFrame, keys: list[str], rows: list[tuple]) -> pd.DataFrame:
    """Shape of groups of outlined CMBs, as Table 8.3 tells it.

    ``outlines`` has ``keys`` and `SHAPES`; ``rows`` are values of the keys in the order wanted, a
    group may be empty. Columns: ``keys``, n, and of each of `SHAPES` the mean and _sd.
    """
    table = mean_sd(outlines, keys, SHAPES).drop(columns=[f"{name}_n" for name in SHAPES])
    table.insert(0, "n", outlines.groupby(keys).size())
    table = table.reindex(pd.MultiIndex.from_tuples(rows, names=keys))
    return table.fillna({"n": 0}).astype({"n": int}).reset_index()
