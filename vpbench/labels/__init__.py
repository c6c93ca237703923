"""Step labels: estimated by Monte-Carlo continuation, written and read in the formats the field uses."""
