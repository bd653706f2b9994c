"""The coordinator: studies, analyses, rounds, results. It never sees a customer or one holder's total."""
