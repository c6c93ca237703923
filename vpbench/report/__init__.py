"""What a run shows and leaves behind: tables, plots, result.json."""
