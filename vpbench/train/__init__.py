"""Training a critic: its recipe run on transformers' Trainer, from labelled solutions to a checkpoint that scores."""
