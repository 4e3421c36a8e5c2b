"""How a task is computed: the stages and the science behind them (torch). No cluster code."""
