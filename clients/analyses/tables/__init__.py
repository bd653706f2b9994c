"""Declared tables on a holder's side: its own exact cells beside the consortium's."""
