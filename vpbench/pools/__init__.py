"""Candidate and score files, ours and other tools'."""
