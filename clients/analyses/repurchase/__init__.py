"""The repurchase analysis on a holder's side: its features, own figures, labels and part of the page."""
