"""One run in its order: what is asked, candidates, drawing, grading, judging, scoring."""
