"""The options of `vpbench run`, which a study file has under the same names."""

from __future__ import annotations

import click

from vpbench.commands import options as opt

RUN = (
    opt.study_tasks,
    opt.option(
        "--critic",
        "critics",
        multiple=True,
        callback=opt.words,
        metavar="[NAME=]CRITIC[:MODEL]",
        help="Critic name or ./file.py, what to call it, its checkpoint; repeat or give a list.",
    ),
    opt.option("--critic-model", help="Checkpoint of critics that name none: folder or hub id; default: the released."),
    opt.option(
        "--critic-args",
        multiple=True,
        callback=opt.settings,
        help="The critics' settings: setting=value,..., or NAME.setting=value of one.",
    ),
    opt.option(
        "--released-tokenization",
        is_flag=True,
        help="Let special tokens typed in questions and responses act, as released scorers do.",
    ),
    opt.option(
        "--pool",
        type=opt.path,
        help="Candidates: JSONL (.gz), or another tool's file; a folder: of TASK.jsonl.gz, one for each task.",
    ),
    opt.option(
        "--policy",
        multiple=True,
        callback=opt.words,
        metavar="[NAME=]BACKEND:MODEL",
        help="Draw the candidates: BACKEND:MODEL, folder or hub id; repeat or give a list; default: the critic's own.",
    ),
    opt.drawing,
    opt.option(
        "--scores",
        multiple=True,
        callback=opt.words,
        metavar="[NAME=]PATH",
        help="A critic's scores from a file, or a folder of TASK.jsonl; repeat or give a list.",
    ),
    opt.data,
    opt.grading,
    opt.option("--judge", help="Official grading: the language model to ask where the rule asks one, BACKEND:MODEL."),
    opt.option("--judge-args", multiple=True, callback=opt.settings, help="The judge's settings, name=value,..."),
    opt.option(
        "--short-pools",
        type=click.Choice(["refuse", "leave-out"]),
        default="refuse",
        show_default=True,
        help="Questions with fewer candidates than the others, or than --n.",
    ),
    opt.option("--allow-mismatch", is_flag=True, help="Take a pool or scores that say another question than the data."),
    opt.option(
        "--trust-verdicts", is_flag=True, help="Use the pool's own `correct` and `prediction` instead of grading."
    ),
    opt.option("--selection", type=click.Choice(["best", "vote", "weighted-vote"]), help="Default: the critic's own."),
    opt.option(
        "--estimator",
        type=click.Choice(["expected", "prefix"]),
        default="expected",
        show_default=True,
        help="expected: exact mean over all n-subsets; prefix: the first n candidates, as papers do.",
    ),
    opt.option(
        "--aggregate",
        help="Step scores to one score: mean, min, max, last, product, geometric-mean, log-odds-sum; default: as the "
        "critic's authors do, mean for most.",
    ),
    opt.option(
        "--link", type=click.Choice(["sigmoid"]), help="Weighted vote: make weights of scores that can be negative."
    ),
    opt.option(
        "--n",
        "ns",
        callback=opt.numbers,
        help="Values of N, such as 1,2,4,8; default: powers of two and the pool size.",
    ),
    opt.option(
        "--threshold", type=float, help="Step detection: a step is correct above it. Default: the critic's own."
    ),
    opt.limit,
    opt.option("--seed", type=int, default=0, show_default=True, help="Seed of drawing, resampling and drawn subsets."),
    opt.option("--resamples", type=click.IntRange(100), default=10_000, show_default=True, help="Bootstrap resamples."),
    opt.max_error_rate,
    opt.budget_limits,
    opt.output,
    opt.nano,
    opt.rates,
    opt.dry_run,
)


def running(command: opt.Command) -> opt.Command:
    """Gives the command the options of a run."""
    for add in reversed(RUN):
        command = add(command)
    return command
