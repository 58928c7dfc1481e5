"""Small inputs that several tests share."""

import numpy as np

from scalinglaws.curves import Run, from_runs

LAW = {"E": 1.8, "A": 480.0, "B": 2100.0, "alpha": 0.35, "beta": 0.37}

TINY_LADDER = """
name = "tiny"
[common]
depth = 1
head_dim = 8
mlp_ratio = 2
batch = 4
seq_len = 16
eval_tokens = 256
eval_linear = 2
eval_log = 2
[[grid]]
width = [8, 16, 24]
tokens = [640, 1280, 2560]
"""


def true_loss(n, d):
    return LAW["E"] + LAW["A"] / n ** LAW["alpha"] + LAW["B"] / d ** LAW["beta"]


def family(noise=0.001, seed=0, points=20):
    """Fifteen runs of five sizes and three horizons whose final losses follow LAW."""
    rng = np.random.default_rng(seed)
    runs = []
    for n in np.geomspace(1e7, 1e9, 5):
        for ratio in (5.0, 20.0, 80.0):
            step = np.unique(np.geomspace(1, 1000, points).astype(np.int64))
            tokens = step / 1000 * n * ratio
            loss = true_loss(n, tokens) * np.exp(noise * rng.standard_normal(step.size))
            runs.append(
                Run(
                    name=f"n{n:.0f}-r{ratio:.0f}",
                    step=step,
                    loss=loss,
                    tokens=tokens,
                    lr=np.linspace(1.0, 0.0, step.size),
                    params={"unspecified": n},
                )
            )
    return from_runs(runs, {"corpus": "synthetic"})


def write_table(path, noise=0.001, seed=0):
    """Write the end points of `family` as a CSV table."""
    rng = np.random.default_rng(seed)
    rows = ["run,params,tokens,val_loss"]
    for n in np.geomspace(1e7, 1e9, 5):
        for ratio in (5.0, 20.0, 80.0):
            loss = true_loss(n, n * ratio) * np.exp(noise * rng.standard_normal())
            rows.append(f"n{n:.0f}-r{ratio:.0f},{n:.0f},{n * ratio:.0f},{loss:.6f}")
    path.write_text("\n".join(rows) + "\n")
