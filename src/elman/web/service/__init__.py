"""Trained runs behind an HTTP interface: predictions, streams, metrics, and what describes them"""
