"""What the figures of associations are drawn from: names, the cloud of all that was tested, and the network."""

from __future__ import annotations

import numpy as np
import pandas as pd

from microbiome.report.counting import label_taxa
from microbiome.report.theme import natural_key

__all__ = ["SIGNIFICANT", "cloud", "named_pairs", "network", "passing"]

#: Largest q-value of what is drawn in the network.
SIGNIFICANT = 0.05
_POINTS = 3000  # rows from which the cloud is drawn as cells of a grid
_CELLS = (90, 60)
_MOST_EDGES = 80


def named_pairs(frame: pd.DataFrame, lineages: pd.DataFrame) -> pd.DataFrame:
    """Add ``name_1`` and ``name_2``, taxa by their species, and ``tested`` (there is a p-value)."""
    result = frame.assign(tested=frame["p_value"].notna())
    for side in ("1", "2"):
        features = frame[f"feature_{side}"].astype(str)
        once = pd.Series(features.unique(), dtype=object)
        taxa = once[once.isin(set(lineages.index)) | once.str.contains(r"\|?[a-z]__", regex=True)]
        names = dict(zip(taxa, label_taxa(taxa, lineages)["name"], strict=True)) if len(taxa) else {}
        result[f"name_{side}"] = features.map(lambda name, names=names: names.get(name, name))
    return result


def passing(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with a q-value of at most :data:`SIGNIFICANT`, the smallest p first."""
    rows = frame[frame["q_value"].notna() & (frame["q_value"] <= SIGNIFICANT)]
    return rows.sort_values("p_value", kind="stable").reset_index(drop=True)


def cloud(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what the volcano draws: every tested pair, or where there are many the cells of a grid.

    Parameters
    ----------
    frame
        Rows of one effect, as :func:`named_pairs` returns them.

    Returns
    -------
    DataFrame
        ``effect, evidence`` (-log10 p), ``found`` (q <= 0.05), ``pairs`` (1, or how many share the cell) and
        ``pair`` (its names; empty of a cell). What was found is always drawn pair by pair.
    """
    rows = frame[frame["tested"] & frame["effect"].notna()]
    smallest = float(rows["p_value"][rows["p_value"] > 0].min()) if (rows["p_value"] > 0).any() else 1e-16
    rows = rows.assign(
        evidence=-np.log10(rows["p_value"].clip(lower=smallest).astype(float)),
        found=(rows["q_value"] <= SIGNIFICANT).fillna(False).astype(bool),
        pairs=1,
        pair=rows["name_1"].astype(str) + " ~ " + rows["name_2"].astype(str),
    )
    columns = ["effect", "evidence", "found", "pairs", "pair"]
    if len(rows) <= _POINTS:
        return rows[columns].reset_index(drop=True)
    found, rest = rows[rows["found"]], rows[~rows["found"]]
    spans = [np.ptp(rest[name].to_numpy(dtype=float)) or 1.0 for name in ("effect", "evidence")]
    lows = [float(rest[name].min()) for name in ("effect", "evidence")]
    place = [
        np.floor((rest[name].to_numpy(dtype=float) - low) / span * cells).clip(0, cells - 1)
        for name, low, span, cells in zip(("effect", "evidence"), lows, spans, _CELLS, strict=True)
    ]
    counted = pd.DataFrame({"x": place[0], "y": place[1]}).value_counts(sort=False).rename("pairs").reset_index()
    cells = pd.DataFrame(
        {
            "effect": lows[0] + (counted["x"] + 0.5) * spans[0] / _CELLS[0],
            "evidence": lows[1] + (counted["y"] + 0.5) * spans[1] / _CELLS[1],
            "found": False,
            "pairs": counted["pairs"],
            "pair": "",
        }
    )
    return pd.concat([cells, found[columns]], ignore_index=True)


def network(found: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Place the features of what passes FDR in a column per table, and join them.

    Parameters
    ----------
    found
        As :func:`passing` returns it; the first 80 rows are drawn, one for each pair of features (its smallest p).

    Returns
    -------
    nodes
        ``node, name, table, x, y, partners``; the order within a column follows the partners' (barycentres).
    edges
        ``edge, node, x, y, sign, effect, effect_name, q_value, pair``: two rows per edge, one for each end.
    """
    ends = [found[f"table_{s}"].astype(str) + "\t" + found[f"feature_{s}"].astype(str) for s in ("1", "2")]
    rows = found.assign(left=ends[0], right=ends[1]).drop_duplicates(["left", "right"]).head(_MOST_EDGES)
    names = dict(zip(rows["left"], rows["name_1"], strict=True)) | dict(zip(rows["right"], rows["name_2"], strict=True))
    tables = list(dict.fromkeys([*rows["table_1"].astype(str), *rows["table_2"].astype(str)]))
    columns = {
        table: sorted((n for n in names if n.split("\t", 1)[0] == table), key=lambda n: natural_key(names[n]))
        for table in tables
    }
    partners: dict[str, list[str]] = {name: [] for name in names}
    for left, right in zip(rows["left"], rows["right"], strict=True):
        partners[left].append(right)
        partners[right].append(left)
    place: dict[str, float] = {}
    for _ in range(6):
        for nodes in columns.values():
            for i, node in enumerate(nodes):
                place[node] = (i + 0.5) / len(nodes)
        for table, nodes in columns.items():
            middle = {n: sum(place[p] for p in partners[n]) / len(partners[n]) for n in nodes}
            columns[table] = sorted(nodes, key=lambda n: (middle[n], natural_key(names[n])))
    node_rows = [
        {
            "node": node,
            "name": names[node],
            "table": table,
            "x": float(x),
            "y": (i + 0.5) / len(nodes),
            "partners": len(partners[node]),
        }
        for x, (table, nodes) in enumerate(columns.items())
        for i, node in enumerate(nodes)
    ]
    nodes_frame = pd.DataFrame(node_rows, columns=["node", "name", "table", "x", "y", "partners"])
    where = {row["node"]: (row["x"], row["y"]) for row in node_rows}
    edge_rows = [
        {
            "edge": i,
            "node": row[end],
            "x": where[row[end]][0],
            "y": where[row[end]][1],
            "sign": "together" if row["effect"] > 0 else "opposite",
            "effect": row["effect"],
            "effect_name": row["effect_name"],
            "q_value": row["q_value"],
            "pair": f"{row['name_1']} ~ {row['name_2']}",
        }
        for i, row in enumerate(rows.to_dict("records"))
        for end in ("left", "right")
    ]
    return nodes_frame, pd.DataFrame(edge_rows)
