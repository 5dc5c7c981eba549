"""The two models: a random forest and a penalised logistic regression of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

__all__ = ["LEARNT", "fit_model"]

#: Models that learn, the default first.
LEARNT = ("random_forest", "logistic")
# Of more rows than these a tree gets so many: it finds next to nothing more in all of them.
_MANY, _DRAWN = 50_000, 5_000


def fit_model(
    name: str, features: pd.DataFrame, present: pd.Series, weight: np.ndarray, trees: int, seed: int
) -> Callable[[pd.DataFrame], np.ndarray]:
    """Fit a model of presence and return the function from features to probability.

    ``random_forest``: trees grown to leaves of at least 10 rows, a square root of the features at each split; each tree
    of as many rows drawn with replacement as there are, or 5,000 where there are more than 50,000.
    ``logistic``: standardised features, ridge penalty (C = 1). No parameter is searched for: there are too few donors
    to hold out some more.

    Parameters
    ----------
    name
        One of :data:`LEARNT`.
    features, present, weight
        Of the rows learnt from.
    trees, seed
        Of the forest.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if present.nunique() < 2:
        constant = float(present.iloc[0])
        return lambda told: np.full(len(told), constant)
    x, y = features.to_numpy(), present.to_numpy()
    if name == "random_forest":
        drawn = _DRAWN if len(x) > _MANY else None
        forest = RandomForestClassifier(
            trees, min_samples_leaf=10, max_features="sqrt", max_samples=drawn, random_state=seed, n_jobs=1
        )
        forest.fit(x, y, sample_weight=weight)
        return lambda told: np.asarray(forest.predict_proba(told.to_numpy())[:, 1])
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    line.fit(x, y, logisticregression__sample_weight=weight)
    return lambda told: np.asarray(line.predict_proba(told.to_numpy())[:, 1])
