"""What a response says: its text, its final answer, the options it names."""
