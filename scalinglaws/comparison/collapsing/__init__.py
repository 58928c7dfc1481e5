"""Collapse of the loss curves of a family: from runs to a verdict.

- `analysis`   the front door: `collapse(runs)`;
- `deviation`  the definitions on plain arrays: ell, Delta, sigma, onset, the split of the variance;
- `damage`, `family`  which runs take part, what is repaired, and where they end: curves on one grid of t / t*;
- `irreducible`, `seeds`, `measure`  the loss to subtract, resamples of seeds, and both together;
- `sizes`, `design`  which size is off, by its curve and by its records;
- `exponent`   the horizon exponent, from runs at a constant rate;
- `result`, `labelled`, `words`  what comes out: numbers, labelled curves, sentences.
"""
