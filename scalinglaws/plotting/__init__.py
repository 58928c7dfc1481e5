"""Pictures: `ax=` in, artists out."""
