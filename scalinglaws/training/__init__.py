"""Decoder-only transformers trained in torch: real loss curves with everything recorded."""
