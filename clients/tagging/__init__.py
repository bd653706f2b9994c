"""Tags of a holder's folder: what ``cohortium holder tags`` drives, and what erasure has to know of them.

``setting`` reads what stands in the holder's files, ``looking`` counts before anything is written, ``running`` tags
everybody and writes it wherever ``labels.toml`` says, ``erasure`` takes a person out again.
"""
