"""The nouns that holders and the coordinator share: studies, plans, messages, segments."""
