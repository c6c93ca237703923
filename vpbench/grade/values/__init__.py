"""What an answer is worth: numbers, formulas, relations, intervals, and when two of them are equal."""
