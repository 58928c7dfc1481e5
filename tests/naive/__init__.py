"""Independent slow oracles: plain loops and definitions, importing nothing from the package."""
