"""Exact theory of SGD on the solvable models: curves without simulation.

- `solve`      the front door: a labelled risk curve, for one draw of the features or in the large-d limit;
- `critical_lr`  the stability edge;
- `limit`      resolvents of the random features without drawing them;
- `constant`   constant rates in the limit: a contour integral, any number of steps at the same cost;
- `secular`    constant rates given the features: a sum of exponentials from a secular equation;
- `modes`      changing rates: a recursion in modes, real (given the features) or complex (in the limit).
"""
