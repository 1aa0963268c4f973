"""Notebook 04: phases, runs, carried tensors and followed predictions, counted by hand."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from cmbkit.chapters import training as chapter
from cmbkit.detector.training.snapshots import read_snapshots
from cmbkit.params import Network
from cmbkit.reporting.layout import layout_of
from cmbkit.reporting.tables import shown


def test_each_phase_counts_its_own_datasets():
    rows = [
        ("VALDO", "p1", "train", 2), ("VALDO", "p1", "train", 0), ("MOMENI", "p2", "train", 1),
        ("sMOMENI", "p2", "train", 9), ("VALDO", "p3", "valid", 4), ("DOU", "p4", "test", 5),
    ]  # fmt: skip
    scans = pd.DataFrame(rows, columns=["dataset", "patient", "split", "n_cmb"])
    phases = SimpleNamespace(
        pretrain=SimpleNamespace(datasets=("VALDO", "MOMENI", "sMOMENI")),
        finetune=SimpleNamespace(datasets=("VALDO", "MOMENI")),
    )
    table = chapter.data_of_phases(scans, phases)
    assert table.to_numpy().tolist() == [
        ["pre-training", "MOMENI", 1, 1, 1],
        ["pre-training", "VALDO", 2, 1, 2],
        ["pre-training", "sMOMENI", 1, 1, 9],
        ["fine-tuning", "MOMENI", 1, 1, 1],
        ["fine-tuning", "VALDO", 2, 1, 2],
        ["validation", "VALDO", 1, 1, 4],
        ["test", "DOU", 1, 1, 5],
    ]
    assert list(shown(table)[0]) == ["Phase", "Dataset", "Scans", "Patients", "CMBs"]
    assert chapter.figure_a_6(table).axes


@pytest.fixture
def history():
    return pd.DataFrame(
        {
            "step": [10, 20, 30],
            "seconds": [60.0, 30.0, 30.0],
            "val_loss": [0.9, 0.4, 0.5],
            "count_f1": [0.1, 0.2, 0.7],
        }
    )


def test_a_run_is_summed_up_beside_the_thesis(history):
    kept = {("scratch", "pretrain"): "count_f1", ("tl", "finetune"): "loss"}
    sought = dict(zip(kept, (0, 7), strict=True))
    table = chapter.runs(dict.fromkeys(kept, history), kept, sought, {})
    scratch, tl = table.to_dict("records")
    assert (scratch["epochs"], scratch["epochs_thesis"], scratch["days_thesis"]) == (3, 197, 17)
    assert (scratch["gradient_steps"], scratch["minutes"], scratch["best_value"]) == (30, 2.0, 0.7)
    assert (tl["epochs_thesis"], tl["days_thesis"], tl["best_value"]) == (99, 8, 0.4)
    assert shown(table)[0]["False alarms sought"].tolist() == ["0", "7"]


def test_runs_that_sought_no_false_alarms_do_not_speak_of_them(history):
    run = ("scratch", "finetune")
    table = chapter.runs({run: history}, {run: "final"}, {run: 0}, {})
    assert table["best_value"].item() == 0.5
    assert "False alarms sought" not in shown(table)[0]


def test_losses_of_epochs_and_steps_are_drawn_in_the_panel_of_their_run(history):
    run = ("tl", "pretrain")
    history = history.assign(epoch=[1, 2, 3], train_loss=[3.0, 2.0, 1.0])
    steps = pd.DataFrame({"step": [1, 2], "train_loss": [4.0, 2.0]})
    table = chapter.losses({run: history}, {run: steps})
    assert table.drop(columns=["model", "phase"]).fillna(-1).to_numpy().tolist() == [
        [10, 1, 3.0, 0.9], [20, 2, 2.0, 0.4], [30, 3, 1.0, 0.5], [1, -1, 4.0, -1], [2, -1, 2.0, -1],
    ]  # fmt: skip
    titles = {axes.get_title(): len(axes.lines) for axes in chapter.figure_a_1(table).axes}
    assert [title.partition(":")[0] for title in titles] == ["A.1", "A.2", "A.3", "A.4"]
    assert list(titles.values()) == [0, 0, 4, 0]
    none = chapter.losses({}, {})
    assert none.empty and not any(axes.lines for axes in chapter.figure_a_1(none).axes)


def test_what_was_not_trained_here_says_so_in_a_line(history):
    table = chapter.runs({}, {}, {}, {"compact": "162 scans", "mine": "9 scans"})
    assert table.empty and layout_of(table).note == (
        "Nothing is trained in this run; its networks are given: compact (trained on 162 scans); "
        "mine (trained on 9 scans)."
    )
    report = pd.DataFrame(columns=["tensor", "source_shape", "target_shape", "action"])
    table = chapter.transferred(report.assign(parameters=[]))
    assert table.empty and layout_of(table).note.startswith("TL. Not trained in this run")
    figures = [
        chapter.figure_7_3(None, "Scratch, pre-training"),
        chapter.figure_7_2({}),
        chapter.figure_a_5({}, 0.5),
        chapter.simulated_slices([]),
    ]
    assert [figure.texts[0].get_text().partition(" ")[0] for figure in figures] == [
        "Scratch,", "No", "No", "No",
    ]  # fmt: skip


def test_carried_tensors_are_one_row():
    report = pd.DataFrame(
        {
            "tensor": ["a", "b", "c"],
            "source_shape": ["(3,)", "(2, 2)", "(5,)"],
            "target_shape": ["(1,)", "(2, 2)", "(5,)"],
            "action": ["sliced", "carried", "carried"],
            "parameters": [1, 4, 5],
        }
    )
    table = chapter.transferred(report)
    assert table["n_tensors"].tolist() == [1, 2] and table["parameters"].tolist() == [1, 9]
    assert shown(table)[0]["Tensor"].tolist() == ["a", "all others"]


@pytest.fixture
def snapshots(tmp_path):
    """Two CMBs after 12 and 3 epochs; CMB 2 of a scan with an underscore appears with time."""
    (tmp_path / "snapshots").mkdir()
    lesion = np.zeros((8, 8, 8), bool)
    lesion[3:5, 3:5, 3:5] = True
    for stem, epochs in {"CRB-study001_T2S_cmb2": 12, "DOU-01_cmb1": 3}.items():
        for epoch in range(1, epochs + 1):
            np.savez_compressed(
                tmp_path / "snapshots" / f"{stem}_epoch{epoch:03d}.npz",
                image=np.where(lesion, -2.0, 1.0),
                lesion=lesion,
                probability=lesion * epoch / 12,
                spacing_mm=0.5,
                epoch=epoch,
            )
    return read_snapshots(tmp_path)


def test_snapshots_come_by_microbleed_and_epoch(snapshots):
    assert list(snapshots) == [("CRB-study001_T2S", 2), ("DOU-01", 1)]
    assert [int(s["epoch"]) for s in snapshots["CRB-study001_T2S", 2]] == list(range(1, 13))
    assert snapshots["DOU-01", 1][-1]["probability"].max() == 0.25


def test_epochs_of_the_evolution_are_spread_from_the_first_to_the_last(snapshots):
    def titles(name):
        return [a.get_title() for a in chapter.figure_7_2({name: snapshots[name]}).axes]

    assert [t for t in titles(("CRB-study001_T2S", 2)) if "Epoch" in t] == [
        f"Epoch {n}\nDice {n >= 6:.2f}"
        for n in (1, 3, 5, 8, 10, 12)  # n / 12 against 0.5
    ]
    assert [t.split("\n")[0] for t in titles(("DOU-01", 1)) if "Epoch" in t] == [
        "Epoch 1", "Epoch 2", "Epoch 3",
    ]  # fmt: skip


def test_the_microbleed_that_is_followed_is_the_one_found_last(snapshots):
    def head(name, factor):
        mine = [s | {"probability": factor * s["probability"]} for s in snapshots[name]]
        return {name: mine}

    early, late = head(("CRB-study001_T2S", 2), 6), head(("DOU-01", 1), 3)  # epochs 1 and 2
    shown = [axes.get_title() for axes in chapter.figure_7_2(early | late).axes]
    assert [t for t in shown if "Epoch" in t] == [
        "Epoch 1\nDice 0.00", "Epoch 2\nDice 1.00", "Epoch 3\nDice 1.00",
    ]  # fmt: skip


def test_followed_microbleeds_are_named(snapshots):
    figure = chapter.figure_a_5(snapshots, threshold=0.5)
    titles = [axes.get_title().splitlines() for axes in figure.axes]
    assert [title[0] for title in titles if len(title) > 1] == [
        "A: CRB-study001_T2S, CMB 2",
        "B: DOU-01, CMB 1",
    ]


def test_settings_are_numbers_and_words_a_row_each_and_lists_only_in_the_picture():
    """Three levels here, five in the thesis; a mean over no axis is none."""
    network = Network(filters_per_depth=[8, 16, 32], lesion_prior=0.01)
    table = chapter.settings_of_network(network)
    rows = table[table["setting"] == "filters_per_depth"]
    assert rows["item"].tolist() == [1, 2, 3, 4, 5]
    assert rows["value"].tolist() == [8, 16, 32, None, None]
    assert rows["value_thesis"].tolist() == [32, 64, 128, 256, 320]
    one = table.set_index("setting").loc["lesion_prior"]
    assert one.isna().tolist() == [True, False, True] and one["value"] == 0.01
    assert not table.map(lambda value: isinstance(value, list | tuple)).any(axis=None)
    drawn = chapter.figure_a_7(table).axes[0].tables[0].get_celld()
    words = [[drawn[row, column].get_text().get_text() for column in range(3)] for row in range(21)]
    assert words[0] == ["Setting", "This run", "Thesis"]
    assert ["filters_per_depth", "[8, 16, 32]", "[32, 64, 128, 256, 320]"] in words
    assert ["lesion_prior", "0.01", "none"] in words and ["l2", "1e-05", "1e-05"] in words
