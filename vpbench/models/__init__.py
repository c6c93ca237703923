"""A checkpoint folder becomes a native model: files, tokens, tiles, layers."""
