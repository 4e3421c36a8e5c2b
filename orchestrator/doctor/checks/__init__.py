"""Judgements over collected facts, one module for each kind. They look at nothing themselves."""
