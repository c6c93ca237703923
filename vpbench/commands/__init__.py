"""One file per verb: what a command does with its options. Nothing here is imported by the rooms below."""
