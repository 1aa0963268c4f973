"""Figure A.7: every setting of a network beside that of the published one."""

from itertools import zip_longest

import pandas as pd
from matplotlib.figure import Figure

from cmbkit.params import Network
from cmbkit.plotting.settings_table import settings_table


def settings_of_network(network: Network) -> pd.DataFrame:
    """Settings of a network beside those of the published one, UNetApollo3D.

    Returns
    -------
    DataFrame
        setting, item (from 1, of a setting that has several, such as one per level; else missing),
        value and value_thesis: number, word or bool; missing where a setting is none or the other
        network has more items.
    """
    published, rows = Network().model_dump(), []
    for setting, now in network.model_dump().items():
        both = (now, published[setting])
        several = any(isinstance(value, list | tuple) for value in both)
        items = [value if isinstance(value, list | tuple) else [value] for value in both]
        for item, pair in enumerate(zip_longest(*items), 1):
            rows.append((setting, item if several else None, *pair))
    columns = ["setting", "item", "value", "value_thesis"]
    return pd.DataFrame(rows, columns=columns, dtype=object).astype({"item": "Int64"})


def figure_a_7(settings: pd.DataFrame) -> Figure:
    """`settings_of_network` as a picture: a line per setting."""
    rows = [
        (name, _text(part["value"], several), _text(part["value_thesis"], several))
        for name, part in settings.groupby("setting", sort=False)
        for several in [part["item"].notna().all()]
    ]
    return settings_table(pd.DataFrame(rows, columns=["Setting", "This run", "Thesis"]))


def _text(values: pd.Series, several: bool) -> str:
    if several:
        return f"[{', '.join(map(str, values.dropna()))}]"
    return "none" if values.isna().all() else str(values.item())
