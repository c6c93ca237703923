"""The miniature world: drawn questions with known truth, in the benchmarks' own row formats, and tiny models for them.

What ships are questions, candidates that a tiny policy drew, labelled solutions, and five checkpoints: the policy, a
stronger one, a process reward model before and after its Monte-Carlo labels, and an outcome reward model.
`vpbench.nano.recipe` says how they were trained, `vpbench ablate gates` what they can do. Everything takes the way that
real data and models take; figures are real measurements, of this world only.
"""

from vpbench.errors import require

require("models", "torch", "transformers", "safetensors")
