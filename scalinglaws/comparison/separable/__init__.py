"""Robust regression of laws that are linear in some parameters once the others are known.

What the laws of one size under any schedule (`schedule_laws`) and those of a family of sizes (`family_laws`) share:

- `law`       the interface: amplitudes, positive shapes, features with their derivatives;
- `problem`   such a law and its records as a function of free coordinates;
- `balanced`  coordinates in which its search does not crawl along bent valleys;
- `minimise`  a damped Newton method for robust objectives of a few parameters.
"""
