"""Scaling laws fitted to measured tables: estimators, certificates, uncertainty."""
