"""Ablations of arXiv 2503.10291 in the miniature world, where the truth about every step is known.

`run.ablate` does all experiments: critics are tuned from one base on labels from the same continuations, and each is
compared with the base row on the same questions. What is drawn, labelled, trained or scored once is used again.
"""
