"""Churn scores of the holder's own customers: a released model, applied where the customers are. Nothing leaves.

``facts`` says what is needed of a customer beside the model's features, ``scoring`` applies the model, ``reasons`` says
what a score is made of, ``intervals`` when the next purchase is due and until when to act, ``quality`` how good scores
were on the day of the test, ``bands`` how high a probability is high.
"""
