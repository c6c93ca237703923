"""One run in its order: what is asked, candidates, drawing, grading, judging, scoring.

`vpbench.run(task, critic, ...)` calls this package: it is `vpbench.api.run`, which says what it takes.
"""
